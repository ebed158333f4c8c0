"""Write the bucket policies of a dataset as JSON, from one table of roles: worker, publisher, reviewer, withdrawer, reader.

`python infra/policies/make.py public BUCKET --principal publisher=ARN --principal reader=ARN > policy.json`, then `aws s3api
put-bucket-policy`. `private.json` and `public.json` beside it are made by it, with placeholders that `infra/terraform` fills in:
`python infra/policies/make.py --write`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload")  # an upload in parts that fails is taken back
LIST = ("s3:ListBucket", "s3:GetBucketLocation")
PURGE = ("s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion")
LIST_ALL = (*LIST, "s3:ListBucketVersions", "s3:ListBucketMultipartUploads")

ROLES: dict[str, dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]] = {
    # role: {side: ((actions, key patterns), ...)}; what is not listed is denied
    "worker": {
        "private": (
            (
                (*READ, *WRITE),
                ("quarantine/*", "vault/crosswalk/*", "vault/identities/*", "vault/receipts/*", "vault/receipts.parquet"),
            ),
            (LIST, ()),
        ),
    },
    # runs the flow: decides what is pulled, writes candidates and coarsened objects, publishes; never changes what workers wrote,
    # never the suppression list
    "publisher": {
        "private": (
            (READ, ("quarantine/*", "candidates/*", "vault/*")),
            (
                WRITE,
                (
                    "candidates/*",
                    "quarantine/objects/*",
                    "vault/audit/*",
                    "vault/audit-heads/*",
                    "vault/keys/*",
                    "vault/receipts/*",
                    "vault/receipts.parquet",
                    "vault/cohort.json",
                    "vault/generalisation.json",
                    "vault/second_pulls.json",
                    "vault/read_again.json",
                    "vault/outcome.json",
                ),
            ),
            (("s3:PutObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion"), ("vault/probe-*",)),
            ((*LIST, "s3:ListBucketVersions"), ()),
        ),
        "public": (
            ((*READ, *WRITE), ("*",)),
            (("s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion"), ("probe/*",)),
            ((*LIST, "s3:ListBucketVersions"), ()),
        ),
    },
    "reviewer": {
        "private": (
            (READ, ("candidates/*", "vault/rules/*")),
            (WRITE, ("candidates/*/approvals/*", "vault/rules/*")),
            (LIST, ()),
        ),
    },
    "withdrawer": {
        "private": (
            ((*PURGE, *WRITE), ("quarantine/*", "candidates/*")),
            ((*READ, *WRITE), ("vault/*",)),
            (LIST_ALL, ()),
        ),
        "public": (
            ((*PURGE, *WRITE), ("*",)),
            (LIST_ALL, ()),
        ),
    },
    "reader": {"public": ((READ, ("*",)), (LIST, ()))},
}
IMMUTABLE = ("log/*", "keys.json", "releases/*", "series/*", "tombstones/*")
"""Nobody but the withdrawer deletes here; the publisher puts each key once (conditional puts, checked by its own probe)."""


def bucket_policy(side: str, bucket: str, prefix: str, principals: dict[str, str], *, tls_only: bool = True) -> dict[str, Any]:
    """Return the policy of the private or public bucket: least privilege per role, TLS only, no deletion of immutable keys."""
    base = f"arn:aws:s3:::{bucket}"
    at = f"{base}/{prefix}/" if prefix else f"{base}/"
    statements: list[dict[str, Any]] = []
    for role, sides in ROLES.items():
        if role not in principals:
            continue
        for number, (actions, patterns) in enumerate(sides.get(side, ()), 1):
            resources = [at + pattern for pattern in patterns] or [base]
            statements.append(_statement(f"{role}{number}", "Allow", principals[role], actions, resources))
    if side == "public":
        # Readers are allowed nothing of the kind anyway, and where they are everybody the withdrawer is one of them.
        others = [arn for role, arn in principals.items() if role not in ("withdrawer", "reader")]
        resources = [at + pattern for pattern in IMMUTABLE]
        if others:
            statements.append(
                _statement("ImmutableForAllButTheWithdrawer", "Deny", others, ("s3:DeleteObject", "s3:DeleteObjectVersion"), resources)
            )
    if tls_only:
        denied = _statement("TlsOnly", "Deny", "*", ("s3:*",), [base, f"{base}/*"])
        statements.append({**denied, "Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}}})
    return {"Version": "2012-10-17", "Statement": statements}


FILES = {"private": ("worker", "publisher", "reviewer", "withdrawer"), "public": ("publisher", "withdrawer", "reader")}
"""Which roles each of the two files beside this one names."""


def placeholder_policy(side: str) -> dict[str, Any]:
    """Return a policy whose bucket, dataset and principals are words to replace: `PRIVATE-BUCKET`, `DATASET`, `WORKER_ARN`, …"""
    return bucket_policy(side, f"{side.upper()}-BUCKET", "DATASET", {role: f"{role.upper()}_ARN" for role in FILES[side]})


def write_files() -> None:
    """Write `private.json` and `public.json`."""
    for side in FILES:
        Path(__file__).with_name(f"{side}.json").write_text(json.dumps(placeholder_policy(side), indent=2) + "\n", "utf-8")


def _statement(sid: str, effect: str, who: str | list[str], actions: tuple[str, ...], resources: list[str]) -> dict[str, Any]:
    principal: Any = "*" if who == "*" else {"AWS": who}
    return {"Sid": sid, "Effect": effect, "Principal": principal, "Action": list(actions), "Resource": resources}


def main() -> None:
    """Print one policy, or write the two files."""
    if sys.argv[1:] == ["--write"]:
        write_files()
        return
    parser = argparse.ArgumentParser(description="Print the bucket policy of one side of a dataset")
    parser.add_argument("side", choices=("private", "public"))
    parser.add_argument("bucket")
    parser.add_argument("--prefix", default="")
    parser.add_argument(
        "--principal", action="append", default=[], metavar="ROLE=ARN", help="worker, publisher, reviewer, withdrawer, reader (* for all)"
    )
    arguments = parser.parse_args()
    principals = dict(p.split("=", 1) for p in arguments.principal)
    unknown = principals.keys() - ROLES.keys()
    if unknown or not principals:
        parser.error(f"--principal ROLE=ARN with ROLE among {', '.join(ROLES)}")
    json.dump(bucket_policy(arguments.side, arguments.bucket, arguments.prefix, principals), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

"""Write the bucket policies of a dataset as JSON, from one table of roles: worker, publisher, withdrawer, reader.

`python infra/policies/make.py public BUCKET --principal publisher=ARN --principal reader=ARN > policy.json`, then `aws s3api
put-bucket-policy`. `private.json` and `public.json` beside it are made by it, with placeholders.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

READ = ("s3:GetObject",)
LIST = ("s3:ListBucket", "s3:GetBucketLocation")
PURGE = ("s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion")

ROLES: dict[str, dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]] = {
    # role: {side: ((actions, key patterns), ...)}; what is not listed is denied
    "worker": {
        "private": (
            (
                ("s3:GetObject", "s3:PutObject"),
                ("quarantine/*", "vault/crosswalk/*", "vault/identities/*", "vault/receipts/*", "vault/receipts.parquet"),
            ),
            (LIST, ()),
        ),
    },
    "publisher": {
        "private": (
            (READ, ("quarantine/*", "candidates/*", "vault/*")),
            (("s3:PutObject",), ("candidates/*", "vault/audit/*", "vault/keys/*", "vault/second_pulls.json", "vault/read_again.json")),
            (LIST, ()),
        ),
        "public": (
            (("s3:GetObject", "s3:PutObject"), ("*",)),
            (("s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion"), ("probe/*",)),
            ((*LIST, "s3:ListBucketVersions"), ()),
        ),
    },
    "withdrawer": {
        "private": (
            ((*PURGE, "s3:PutObject"), ("quarantine/*", "candidates/*")),
            (("s3:GetObject", "s3:PutObject"), ("vault/*",)),
            ((*LIST, "s3:ListBucketVersions"), ()),
        ),
        "public": (
            ((*PURGE, "s3:PutObject"), ("*",)),
            ((*LIST, "s3:ListBucketVersions"), ()),
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
        others = [arn for role, arn in principals.items() if role != "withdrawer"]
        resources = [at + pattern for pattern in IMMUTABLE]
        if others:
            statements.append(
                _statement("ImmutableForAllButTheWithdrawer", "Deny", others, ("s3:DeleteObject", "s3:DeleteObjectVersion"), resources)
            )
    if tls_only:
        denied = _statement("TlsOnly", "Deny", "*", ("s3:*",), [base, f"{base}/*"])
        statements.append({**denied, "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(sid: str, effect: str, who: str | list[str], actions: tuple[str, ...], resources: list[str]) -> dict[str, Any]:
    principal: Any = "*" if who == "*" else {"AWS": who}
    return {"Sid": sid, "Effect": effect, "Principal": principal, "Action": list(actions), "Resource": resources}


def main() -> None:
    """Print one policy."""
    parser = argparse.ArgumentParser(description="Print the bucket policy of one side of a dataset")
    parser.add_argument("side", choices=("private", "public"))
    parser.add_argument("bucket")
    parser.add_argument("--prefix", default="")
    parser.add_argument(
        "--principal", action="append", default=[], metavar="ROLE=ARN", help="worker, publisher, withdrawer, reader (* for all)"
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

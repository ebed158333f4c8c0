"""The data card (`README.md`) and the changelog of a release: what it is, what it is for, what was done to it, what risk is left."""

from __future__ import annotations

from pathlib import Path

from tasks.publish.documents import ReleaseDescription

PROFILE_CODES = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}
"""PS3.16 CID 7050."""


def write(folder: Path, about: ReleaseDescription) -> None:
    """Write `README.md` and `CHANGELOG.md`."""
    (folder / "README.md").write_text(card_text(about), "utf-8")
    (folder / "CHANGELOG.md").write_text(changelog_text(about), "utf-8")


def card_text(about: ReleaseDescription) -> str:
    """Return the data card as Markdown."""
    facts = about.publication
    contact = facts.contact or "the publisher (this release names no contact)"
    counts = ", ".join(str(about.counts[name]) for name in ("patients", "studies", "series", "instances"))
    codes = "\n".join(f"- {code}: {PROFILE_CODES.get(code, 'see PS3.16 CID 7050')}" for code in about.option_codes) or "- none declared"
    return f"""# {facts.title or about.dataset}, release {about.release_id}

{facts.description or "De-identified DICOM images with Parquet manifests."}

| | |
|---|---|
| dataset | {about.dataset} |
| release | {about.release_id}, {about.on.isoformat()} |
| patients, studies, series, instances | {counts} |
| bytes | {about.counts["size_bytes"]} |
| access tier | {facts.access_tier} |
| licence (SPDX) | {facts.license_spdx} |
| root digest (sha256) | `{about.root}` |
{f"| replaces | {about.supersedes}, from which objects were withdrawn |" if about.supersedes else ""}
## What is in it

Images are in `series/` of the dataset, described by `manifests/*.parquet`; start with `series.parquet`. Columns are explained in
`DATA_DICTIONARY.md`. `croissant.json` describes the same for machines.

## Download

What matches a condition over the manifests, checked; or everything that is in a bucket (`s5cmd --no-sign-request` where it is open):

```
sallyport get URL DEST --where "Modality = 'CT'"
sed 's|${{DATASET}}|s3://BUCKET/PREFIX|' s5cmd/all.txt | s5cmd run
```

## Use

Made for research and for the training and evaluation of methods, under the licence above. Not for diagnosis. Forbidden: any attempt
to find out who a person is, to link the data with other data to that end, or to reconstruct faces or names. Delete copies of what
tombstones name (`tombstones/` of the dataset; `sallyport get --prune` does it).

## De-identification

By DICOM PS3.15 Annex E under policy `{about.policy_name}` (sha256 `{about.policy_sha256}`; every setting is in `release.json`).
Each object declares what was done to it in (0012,0063) and (0012,0064), (0028,0301) to (0028,0303). Codes declared in this release:

{codes}

UIDs and patient ids are replaced by keyed pseudonyms that stay the same from release to release.

## Residual risk

Every gate ran over exactly the bytes of this release; `attestations/gates.dsse.json` signs the results and `validation.html` shows them.

{_gates_table(about)}
No de-identification is perfect. If you find a name, a face or anything else that tells who somebody is: do not share it, and
write to {contact}.

## Verify

The first line checks everything, from the log of releases to every image. The other two, in this folder, need no tool of ours:

```
sallyport verify URL --full
ssh-keygen -Y verify -f allowed_signers -I publisher -n dataset-release -s SHA256SUMS.sshsig < SHA256SUMS && sha256sum -c SHA256SUMS
minisign -V -p minisign.pub -m SHA256SUMS -x SHA256SUMS.minisig
```

Compare the key's fingerprint with the publisher by another way than this folder.
"""


def changelog_text(about: ReleaseDescription) -> str:
    """Return what changed against the previous release, in counts."""
    lines = [f"# {about.release_id} ({about.on.isoformat()})\n"]
    lines.append(f"Against {about.previous_release_id}:\n" if about.previous_release_id else "The first release.\n")
    lines += [f"- {count} series {kind}\n" for kind, count in sorted(about.changes.items())] or ["- no series changed\n"]
    lines += [f"- changed: {_term(name, about)}\n" for name in about.changed_terms]
    lines.append("\nWhich ones: `manifests/change.parquet`.\n")
    return "\n".join(lines[:2]) + "\n" + "".join(lines[2:])


def _term(name: str, about: ReleaseDescription) -> str:
    facts = about.publication
    stated = {"license_spdx": f"the licence, now {facts.license_spdx}", "access_tier": f"the access tier, now {facts.access_tier}"}
    return stated.get(name, f"the {name}")


def _gates_table(about: ReleaseDescription) -> str:
    rows = [g for g in about.gates if g["unit"] == "release"]
    if not rows:
        return ""
    head = "| gate | measured | threshold | outcome |\n|---|---|---|---|\n"
    return head + "".join(f"| {g['gate']} | {g['measure']} | {g['threshold']} | {g['verdict']} |\n" for g in rows) + "\n"

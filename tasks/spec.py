"""The spec: one YAML file that says what to release, from where, to where, under which policy.

The same model is the form in the Prefect UI. Reading archives or stores does not belong here.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from tasks.archive_spec import (
    Archive,
    DicomwebArchive,
    DimseArchive,
    FolderArchive,
    S3Archive,
    Section,
    SqlRegistry,
    TimeZone,
)
from tasks.errors import UsageError
from tasks.policy import Policy, load_policy


class Cohort(Section):
    """Which studies are asked for; everything empty means all that the archive has."""

    modalities: list[str] = Field(default_factory=list, description="CT, MR, …; a study counts when one of its series does")
    since: date | None = Field(None, description="StudyDate from this day on")
    until: date | None = Field(None, description="StudyDate up to this day")
    descriptions: list[str] = Field(
        default_factory=list, description="StudyDescription, with * and ?: *CHEST*; case counts, as in DICOM queries"
    )
    accessions: str | None = Field(None, description="CSV with one accession number a line (private)")
    patients: str | None = Field(None, description="CSV with one patient id a line (private)")
    opt_out: str | SqlRegistry | None = Field(
        default=None, description="Patients who said no: CSV or Parquet file, or a database (private); re-read before publishing"
    )
    consent: str | SqlRegistry | None = Field(
        default=None, description="Patients who said yes, when only they may be released; written like opt_out"
    )

    @field_validator("modalities")
    @classmethod
    def _upper(cls, value: list[str]) -> list[str]:
        return [v.strip().upper() for v in value]


class SecretSource(Section):
    """Where the dataset's secret is; never the secret itself."""

    file: str | None = None
    env: str | None = None
    block: str | None = Field(None, description="Name of a Prefect Secret block")

    @field_validator("block")
    @classmethod
    def _strip(cls, value: str | None) -> str | None:
        return value.strip() if value else value


class Approval(Section):
    reviewers: int = Field(0, ge=0, le=5, description="0: the policy alone approves")
    allowed_signers: str | None = Field(None, description="OpenSSH allowed_signers file: approvals must carry the reviewer's own key")


class Signing(Section):
    key: str | None = Field(None, description="Ed25519 key file of `sallyport keys signing`; else the key is derived from the secret")


class Publication(Section):
    """What every release says of itself to people. Nothing about a patient."""

    title: str = Field("", max_length=200)
    description: str = Field("", max_length=5000)
    license_spdx: str = Field("NOASSERTION", title="Licence", description="SPDX expression, e.g. CC-BY-4.0")
    url: str = Field("", max_length=500, description="Where readers find the dataset")
    contact: str = Field("", max_length=200, description="Where readers report PHI that they found")
    access_tier: Literal["open", "registered", "controlled"] = "open"


class Slurm(Section):
    """Workers as jobs of a SLURM cluster, over mutual TLS; needs `sallyport[slurm]`, and the private side mounted on every node."""

    kind: Literal["slurm"] = "slurm"
    queue: str | None = Field(None, pattern=r"^[\w.-]+$", description="Partition")
    account: str | None = Field(None, pattern=r"^[\w.-]+$")
    walltime: str = Field(
        "12:00:00", pattern=r"^(\d+-)?\d{1,2}:\d{2}:\d{2}$", description="A job that ends takes its study along; it is run again"
    )
    interface: str | None = Field(None, pattern=r"^[\w.-]+$", description="Network interface that the nodes reach us by: ib0")


class Workers(Section):
    n: int = Field(2, ge=1, le=256, title="Workers")
    cluster: Literal["local"] | Slurm = "local"
    scheduler: str | None = Field(
        None, pattern=r"^(tls|tcp|inproc)://", description="An existing Dask scheduler; tls:// outside one machine"
    )
    memory_limit: str = Field("4GiB", description="Per worker")
    study_timeout_seconds: int = Field(3600, ge=10)


class Schedule(Section):
    cron: str = "0 2 * * *"
    timezone: TimeZone = "UTC"
    publish_window: Literal["always", "daily", "weekly", "monthly"] = "always"


class Spec(Section):
    """What to release, from where, to where, under which policy."""

    dataset: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Name of the dataset: lower case, digits, hyphens")
    archive: Archive
    cohort: Cohort = Cohort()
    policy: str = Field("shifted-dates", description="shifted-dates, strict, or a policy file")
    private: str = Field(pattern=r"^(file|s3)://", description="Vault and quarantine: file:///… or s3://bucket/prefix")
    public: str = Field(pattern=r"^(file|s3)://", description="Releases: file:///… or s3://bucket/prefix")
    secret: SecretSource
    aliases: str | None = Field(None, description="CSV of merged patient ids: issuer,patient_id,issuer,patient_id (private)")
    gates: dict[str, Any] = Field(default_factory=dict, description="Overrides of the policy's thresholds, recorded in the release")
    approval: Literal["automatic"] | Approval = "automatic"
    publication: Publication = Publication()
    signing: Signing = Signing()
    replicas: list[str] = Field(default_factory=list, description="Further copies of the public side that withdrawals purge too")
    workers: Workers = Workers()
    schedule: Schedule | None = None

    def loaded_policy(self) -> Policy:
        """Return the policy with this spec's overrides applied.

        PRIVACY: a policy that keeps faces is refused for a dataset that is open to everyone (test_face_policy.py).
        """
        policy = load_policy(self.policy).with_gates(self.gates)
        if policy.faces.action == "keep" and self.publication.access_tier == "open":
            raise UsageError("spec: policy", "keeps faces, and the dataset is open", "set publication.access_tier, or deface")
        return policy


__all__ = ["Archive", "DicomwebArchive", "DimseArchive", "FolderArchive", "S3Archive", "Spec", "parse_spec", "read_spec"]


def read_spec(path: Path) -> Spec:
    """Read and validate a spec file; relative paths in it are relative to the file. Errors name the field."""
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError("spec", f"cannot be read ({type(error).__name__})", "check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UsageError("spec", "not valid YAML", "see infra/specs for examples") from None
    spec = parse_spec(data)
    return _resolved(spec, path.resolve().parent)


def parse_spec(data: Any) -> Spec:
    """Validate a spec that is already data; a UsageError names the first wrong field and what to write."""
    if not isinstance(data, dict):
        raise UsageError("spec", "not a mapping", "see infra/specs for examples")
    try:
        spec = Spec.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        first = problems[0]
        field = ".".join(str(part) for part in first["loc"]) or "(top level)"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UsageError(f"spec: {field}", first["msg"] + more, "correct this field; infra/specs has examples") from None
    if not (spec.secret.file or spec.secret.env or spec.secret.block):
        raise UsageError("spec: secret", "names no source", "write secret: {file: …}, {env: …} or {block: …}")
    if spec.private.rstrip("/") == spec.public.rstrip("/"):
        raise UsageError("spec: public", "is the same place as private", "name a different folder or bucket")
    spec.loaded_policy()
    return spec


def _resolved(spec: Spec, folder: Path) -> Spec:
    def absolute(value: str | None) -> str | None:
        return str((folder / value).resolve()) if value else value

    def registry(value: str | SqlRegistry | None) -> str | SqlRegistry | None:
        return value.resolved(absolute) if isinstance(value, SqlRegistry) else absolute(value)

    archive = spec.archive.resolved(absolute)
    lists = {k: absolute(getattr(spec.cohort, k)) for k in ("accessions", "patients")}
    cohort = spec.cohort.model_copy(update={**lists, **{k: registry(getattr(spec.cohort, k)) for k in ("opt_out", "consent")}})
    approval = spec.approval
    if isinstance(approval, Approval):
        approval = approval.model_copy(update={"allowed_signers": absolute(approval.allowed_signers)})
    policy = spec.policy
    if "/" in policy or policy.endswith((".yaml", ".yml")):
        policy = str((folder / policy).resolve())
    return spec.model_copy(
        update={
            "archive": archive,
            "cohort": cohort,
            "approval": approval,
            "policy": policy,
            "aliases": absolute(spec.aliases),
            "signing": spec.signing.model_copy(update={"key": absolute(spec.signing.key)}),
            "secret": spec.secret.model_copy(update={"file": absolute(spec.secret.file)}),
        }
    )

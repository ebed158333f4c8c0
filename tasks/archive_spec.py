"""The archive sections of the spec: where studies come from, how we log in there, and how gently we pull.

Secrets are named here (a file or a variable), never written here. How an archive is asked does not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Absolute = Callable[[str | None], str | None]
"""Makes a path of the spec absolute; None stays None."""


class Section(BaseModel):
    """A part of the spec: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone of the IANA database; write one like Europe/Berlin or UTC") from None
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]


class Credential(Section):
    """Where a password or token is; never the value itself."""

    file: str | None = Field(default=None, description="A file that holds it, readable by its owner only")
    env: str | None = Field(default=None, description="An environment variable that holds it")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.file) == bool(self.env):
            raise ValueError("names no single source; write {file: …} or {env: …}")
        return self

    def resolved(self, absolute: Absolute) -> Credential:
        return self.model_copy(update={"file": absolute(self.file)})


class SqlRegistry(Section):
    """A registry of consent or opt-out in a database."""

    url: Credential = Field(description="Where the address is: postgresql://… or sqlite:///file (it may hold a password)")
    query: str = Field(
        pattern=r"(?i)^\s*(select|with)\b", description="Gives patient_id, and issuer if it has one: SELECT patient_id FROM …"
    )

    def resolved(self, absolute: Absolute) -> SqlRegistry:
        return self.model_copy(update={"url": self.url.resolved(absolute)})


class Tls(Section):
    """TLS of the connection: whom we trust, and who we are (mutual TLS)."""

    ca: str | None = Field(default=None, title="CA certificates", description="PEM file; the system's own when left out")
    certificate: str | None = Field(default=None, title="Our certificate", description="PEM file, for mutual TLS")
    key: str | None = Field(default=None, title="Our private key", description="PEM file, without a passphrase")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together; name both or neither")
        return self

    def resolved(self, absolute: Absolute) -> Tls:
        return self.model_copy(update={name: absolute(getattr(self, name)) for name in ("ca", "certificate", "key")})


_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


def _hours(value: str) -> str:
    if not _HOURS.fullmatch(value):
        raise ValueError("is no span of hours; write one like 07:00-19:00")
    return value


class Limits(Section):
    """How gently the archive is asked. The limits hold for all workers of one machine together."""

    concurrent_pulls: int = Field(default=2, ge=1, le=64, title="Studies pulled at once")
    requests_per_minute: int | None = Field(default=None, ge=1, title="Requests a minute", description="Queries and retrievals")
    megabytes_per_second: float | None = Field(default=None, gt=0, title="Megabytes a second")
    quiet_hours: list[Annotated[str, AfterValidator(_hours)]] = Field(
        default_factory=list, title="Quiet hours", description="Nothing is pulled then: 07:00-19:00"
    )
    timezone: TimeZone = Field(default="UTC", title="Time zone of the quiet hours")
    timeout_seconds: float = Field(default=60, gt=0, le=3600, title="Longest silence", description="Then the request is given up")
    attempts: int = Field(default=4, ge=1, le=20, description="Each after a longer wait; what came already is not asked for again")
    backoff_seconds: float = Field(default=2, ge=0, le=600, title="First wait", description="Doubled after each attempt, up to 5 minutes")
    max_matches: int | None = Field(
        default=None, ge=1, title="Most answers to one query", description="What the archive cuts off at; queries are then split by date"
    )


class FolderArchive(Section):
    kind: Literal["folder"] = "folder"
    path: str = Field(title="Folder", description="Read recursively, whatever the files are called")

    def resolved(self, absolute: Absolute) -> FolderArchive:
        return self.model_copy(update={"path": absolute(self.path)})


class S3Archive(Section):
    kind: Literal["s3"] = "s3"
    url: str = Field(pattern=r"^s3://[^/]+", description="s3://bucket/prefix; credentials as the AWS tools find them")
    endpoint: str | None = Field(default=None, pattern=r"^https?://", description="Of a store that is not AWS's")
    profile: str | None = Field(default=None, description="Profile of the AWS configuration, when it is not the default one")
    limits: Limits = Limits()

    def resolved(self, absolute: Absolute) -> S3Archive:
        return self


class BasicAuth(Section):
    kind: Literal["basic"] = "basic"
    username: str
    password: Credential


class BearerAuth(Section):
    kind: Literal["bearer"] = "bearer"
    token: Credential


class HeaderAuth(Section):
    kind: Literal["header"] = "header"
    name: str = Field(pattern=r"^[A-Za-z0-9-]+$", description="Name of the HTTP header: X-Api-Key")
    value: Credential


Auth = Annotated[BasicAuth | BearerAuth | HeaderAuth, Field(discriminator="kind")]


class _Remote(Section):
    limits: Limits = Limits()
    tls: Tls | None = None
    compare: Literal["counts", "instances"] = Field(
        default="counts",
        title="What tells that a study changed",
        description="counts: what the study-level answer says (quick); instances: the list of its instances (one more query a study)",
    )


class DicomwebArchive(_Remote):
    kind: Literal["dicomweb"] = "dicomweb"
    url: str = Field(title="DICOMweb root", pattern=r"^https?://[^\s@]+$", description="https://pacs.example/dicom-web")
    auth: Auth | None = None

    def resolved(self, absolute: Absolute) -> DicomwebArchive:
        changes: dict[str, Any] = {"tls": self.tls and self.tls.resolved(absolute)}
        if self.auth:
            name = {"basic": "password", "bearer": "token", "header": "value"}[self.auth.kind]
            changes["auth"] = self.auth.model_copy(update={name: getattr(self.auth, name).resolved(absolute)})
        return self.model_copy(update=changes)


class Receiver(Section):
    """An AE of ours that the archive knows and may send to (C-MOVE). One study at a time each."""

    ae_title: str = Field(min_length=1, max_length=16)
    port: int = Field(ge=0, le=65535)
    address: str = Field(default="", description="Interface to listen on; all when left out")


class DimseArchive(_Remote):
    kind: Literal["dimse"] = "dimse"
    host: str
    port: int = Field(ge=1, le=65535)
    ae_title: str = Field(title="Called AE title", min_length=1, max_length=16)
    calling_ae_title: str = Field(default="SALLYPORT", min_length=1, max_length=16)
    retrieve: Literal["auto", "c-get", "c-move"] = Field(default="auto", description="auto: C-GET, and C-MOVE where that is refused")
    receivers: list[Receiver] = Field(default_factory=list, description="For C-MOVE: one for each study that is pulled at once")

    @model_validator(mode="after")
    def _receivers(self) -> Self:
        if self.retrieve == "c-move" and not self.receivers:
            raise ValueError("c-move needs receivers; write receivers: [{ae_title: SALLYPORT, port: 11112}]")
        return self

    def resolved(self, absolute: Absolute) -> DimseArchive:
        return self.model_copy(update={"tls": self.tls and self.tls.resolved(absolute)})


Archive = Annotated[FolderArchive | DicomwebArchive | DimseArchive | S3Archive, Field(discriminator="kind")]

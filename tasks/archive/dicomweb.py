"""A DICOMweb archive (PS3.18): QIDO-RS to ask, WADO-RS to pull in bulk, objects as they are stored."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.archive.credentials import read_credential
from tasks.archive.multipart import MultipartError, boundary_of, parts
from tasks.archive.pace import Pace, PassingError
from tasks.archive.remote import Inbox, ListedInstance, Query, RemoteArchive, TooManyMatchesError
from tasks.archive.remote_index import StudyAnswer
from tasks.archive_spec import DicomwebArchive as DicomwebSpec
from tasks.errors import ReleaseError
from tasks.secret import Secret

PAGE = 1000
CHUNK_BYTES = 1 << 18
_FIELDS = (
    "StudyInstanceUID,PatientID,IssuerOfPatientID,StudyDate,StudyTime,AccessionNumber,StudyDescription,ModalitiesInStudy,"
    "NumberOfStudyRelatedInstances,NumberOfStudyRelatedSeries"
)
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'  # as stored, never transcoded for us
_PASSING = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504})

# PRIVACY: these loggers write addresses, and those hold UIDs and patient ids (tests/archive/test_remote_privacy.py).
for _name in ("dicomweb_client", "urllib3", "requests"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


def open_dicomweb(spec: DicomwebSpec, secret: Secret, index_folder: Path) -> RemoteArchive:
    """Return the archive at a DICOMweb root. Nothing is sent before the first question."""
    name = secret.digest("archive-index", spec.url).hex()[:16]
    pace = Pace(spec.limits, index_folder, name)
    index = index_folder / f"dicomweb-{name}.sqlite"
    return RemoteArchive(DicomwebWire(spec), pace, secret, index, compare_instances=spec.compare == "instances")


class DicomwebWire:
    """QIDO-RS and WADO-RS through one HTTP session of this process."""

    def __init__(self, spec: DicomwebSpec) -> None:
        self._spec = spec
        self._client: Any = None

    def find(self, query: Query) -> Iterator[StudyAnswer]:
        for row in self._search("studies", query):
            yield StudyAnswer(
                study_uid=_one(row, "0020000D"),
                patient_id=_one(row, "00100020"),
                issuer=_one(row, "00100021"),
                study_date=_one(row, "00080020"),
                study_time=_one(row, "00080030"),
                accession=_one(row, "00080050"),
                description=_one(row, "00081030"),
                modalities=tuple(sorted({v.upper() for v in _all(row, "00080061")})),
                instance_count=_count(row, "00201208"),
                series_count=_count(row, "00201206"),
            )

    def modalities(self, study_uid: str) -> tuple[str, ...]:
        return tuple(sorted({_one(row, "00080060").upper() for row in self._search(f"studies/{_safe(study_uid)}/series", {})} - {""}))

    def instances(self, study_uid: str) -> list[ListedInstance]:
        rows = self._search(f"studies/{_safe(study_uid)}/instances", {})
        return [ListedInstance(_one(r, "00080018"), _one(r, "0020000E"), _one(r, "00080016")) for r in rows if _one(r, "00080018")]

    def retrieve(self, study_uid: str, missing: Mapping[str, ListedInstance], inbox: Inbox, *, whole: bool) -> None:
        study = f"studies/{_safe(study_uid)}"
        if whole:
            self._retrieve(study, inbox)
            return
        for instance in missing.values():
            self._retrieve(f"{study}/series/{_safe(instance.series_uid)}/instances/{_safe(instance.sop_uid)}", inbox)

    def close(self) -> None:
        """Close the connections of this process; the next question opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # --- HTTP

    def _search(self, path: str, query: Query) -> list[dict[str, Any]]:
        """Return every match of a search, page by page."""
        import requests

        found: dict[str, dict[str, Any]] = {}
        unnamed: list[dict[str, Any]] = []
        fields = {"includefield": _FIELDS} if path == "studies" else {}
        while True:
            offset = len(found) + len(unnamed)
            with self._failures():
                response = self._get(path, {**query, **fields, "limit": str(PAGE), "offset": str(offset)}, "application/dicom+json")
                with response:
                    if response.status_code == 413:
                        raise TooManyMatchesError
                    self._check(response)
                    try:
                        page = response.json() if response.content else []
                    except requests.exceptions.JSONDecodeError:
                        raise PassingError("answered with something that is not JSON") from None
            if isinstance(page, dict):
                page = [page]
            if not isinstance(page, list) or not all(isinstance(row, dict) for row in page):
                raise PassingError("answered with something that is not DICOM JSON")
            before = len(found)
            for row in page:
                uid = _one(row, "00080018") or _one(row, "0020000E" if path.endswith("/series") else "0020000D")
                if uid:
                    found.setdefault(uid, row)
            if len(found) == before:
                if len(page) >= PAGE:  # the same full page again: it ignores the offset, and there is more
                    raise TooManyMatchesError
                return list(found.values())

    def _retrieve(self, path: str, inbox: Inbox) -> None:
        with self._failures():
            response = self._get(path, {}, _ACCEPT)
            with response:
                if response.status_code == 404:
                    return  # what does not come is counted by the caller
                self._check(response)
                content_type = response.headers.get("Content-Type", "")
                pieces = response.iter_content(CHUNK_BYTES)
                if content_type.startswith("application/dicom"):  # one part without its envelope (CP-2040)
                    _store(pieces, inbox)
                    return
                try:
                    for part in parts(pieces, boundary_of(content_type)):
                        _store(part, inbox)
                except MultipartError:
                    raise PassingError("broke off in the middle of an answer") from None

    def _get(self, path: str, params: Mapping[str, str], accept: str) -> Any:
        client = self._session()
        timeout = (min(30.0, self._spec.limits.timeout_seconds), self._spec.limits.timeout_seconds)
        query = "&".join(f"{name}={_query_value(value)}" for name, value in params.items())
        url = f"{self._spec.url.rstrip('/')}/{path}" + (f"?{query}" if query else "")
        return client.get(url, headers={"Accept": accept}, stream=True, timeout=timeout)

    def _session(self) -> Any:
        """Return the session that dicomweb-client would use: its own, with our login and certificates."""
        if self._client is None:
            from dicomweb_client import session_utils

            spec = self._spec
            session = session_utils.create_session()
            session.trust_env = False  # no ~/.netrc, and no proxy that nobody named
            if spec.tls:
                session.verify = spec.tls.ca or True
                if spec.tls.certificate:
                    session.cert = (spec.tls.certificate, spec.tls.key)
            if spec.auth is not None:
                if spec.auth.kind == "basic":
                    session.auth = (spec.auth.username, read_credential(spec.auth.password, "archive.auth.password"))
                elif spec.auth.kind == "bearer":
                    session.headers["Authorization"] = f"Bearer {read_credential(spec.auth.token, 'archive.auth.token')}"
                else:
                    session.headers[spec.auth.name] = read_credential(spec.auth.value, "archive.auth.value")
            session.max_redirects = 5
            self._client = session
        return self._client

    @staticmethod
    def _check(response: Any) -> None:
        status = response.status_code
        if status in _PASSING:
            raise PassingError(f"answered {status}")
        if status in (401, 403):
            raise ReleaseError("archive.auth", f"the archive refuses us ({status})", "check the login in the spec and what it may do")
        if status == 404:
            raise ReleaseError("archive.url", "nothing is there (404)", "write the DICOMweb root, without /studies")
        if status not in (200, 204, 206):
            raise ReleaseError("archive", f"answered {status}", "see the archive's own log")

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn failures of the network into ours. PRIVACY: their messages hold addresses, so only the class survives."""
        import requests
        import urllib3

        try:
            yield
        except requests.exceptions.SSLError:
            raise ReleaseError("archive.tls", "the certificates do not fit", "check tls.ca, tls.certificate and tls.key") from None
        except requests.exceptions.TooManyRedirects:
            raise ReleaseError("archive.url", "redirects without end", "write the address that it redirects to") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise PassingError(f"cannot be reached ({type(error).__name__})") from None


def _store(pieces: Iterable[bytes], inbox: Inbox) -> None:
    part = inbox.new_part()
    try:
        with part.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        inbox.take(part)
    finally:
        part.unlink(missing_ok=True)  # half an object, when the answer broke off


def _query_value(value: str) -> str:
    """Return a value to match as it can stand in an address: what would need escapes becomes the wild card `?`.

    Some servers do not undo escapes (Orthanc's plug-in 1.7), and would find nothing; every answer is matched again anyway.
    """
    return re.sub(r"[^A-Za-z0-9._~*,-]", "?", value)


def _safe(uid: str) -> str:
    """Return a UID for a URL path; one that is no UID is not asked for."""
    if not uid or len(uid) > 64 or not all(c.isdigit() or c == "." for c in uid):
        raise ReleaseError("archive", "says that it has an object whose UID is none", "nothing can be asked by that name")
    return uid


def _all(row: Mapping[str, Any], tag: str) -> list[str]:
    element = row.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [str(v).strip(" \0") for v in values if v is not None and not isinstance(v, dict)] if isinstance(values, list) else []


def _one(row: Mapping[str, Any], tag: str) -> str:
    values = _all(row, tag)
    return values[0] if values else ""


def _count(row: Mapping[str, Any], tag: str) -> int:
    value = _one(row, tag)
    return int(value) if value.isdigit() else -1

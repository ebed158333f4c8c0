"""A DIMSE archive (PS3.4 C): C-FIND to ask, C-GET to pull, C-MOVE to a receiver of ours where C-GET is refused."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tasks.archive.credentials import tls_context
from tasks.archive.pace import Pace, PassingError
from tasks.archive.presentation import CLASSES_AT_ONCE, UNCOMPRESSED, storage_classes, storage_contexts
from tasks.archive.receiver import receive_study
from tasks.archive.remote import Inbox, ListedInstance, OutsideStudyError, Query, RemoteArchive, TooManyMatchesError
from tasks.archive.remote_index import StudyAnswer
from tasks.archive_spec import DimseArchive as DimseSpec
from tasks.errors import ReleaseError
from tasks.secret import Secret

# PRIVACY: pynetdicom logs identifiers and datasets (tests/archive/test_remote_privacy.py).
for _name in ("pynetdicom", "pydicom"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
    logging.getLogger(_name).propagate = False

_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_STUDY_KEYS = (
    *("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription"),
    *("ModalitiesInStudy", "NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries", "SpecificCharacterSet"),
)
_PENDING = (0xFF00, 0xFF01)
_TOO_MANY = (0xA700, 0xA701)


class GetRefusedError(Exception):
    """The archive does not offer C-GET for these objects."""


def open_dimse(spec: DimseSpec, secret: Secret, index_folder: Path) -> RemoteArchive:
    """Return the archive behind an AE title. Nothing is sent before the first question."""
    name = secret.digest("archive-index", spec.host, str(spec.port), spec.ae_title).hex()[:16]
    pace = Pace(spec.limits, index_folder, name)
    index = index_folder / f"dimse-{name}.sqlite"
    return RemoteArchive(DimseWire(spec, pace), pace, secret, index, compare_instances=spec.compare == "instances")


class DimseWire:
    """One association for all questions until `close`, and one for each retrieval."""

    def __init__(self, spec: DimseSpec, pace: Pace) -> None:
        self._spec, self._pace = spec, pace
        self._get_refused = False
        self._questions: ExitStack | None = None
        self._asking: Any = None

    def close(self) -> None:
        """Release the association of the questions, if there is one."""
        stack, self._questions, self._asking = self._questions, None, None
        if stack is not None:
            with suppress(PassingError):
                stack.close()

    def find(self, query: Query) -> Iterator[StudyAnswer]:
        for row in self._find("STUDY", {**dict.fromkeys(_STUDY_KEYS, ""), **query}):
            yield StudyAnswer(
                study_uid=_one(row, "StudyInstanceUID"),
                patient_id=_one(row, "PatientID"),
                issuer=_one(row, "IssuerOfPatientID"),
                study_date=_one(row, "StudyDate"),
                study_time=_one(row, "StudyTime"),
                accession=_one(row, "AccessionNumber"),
                description=_one(row, "StudyDescription"),
                modalities=tuple(sorted({v.upper() for v in _all(row, "ModalitiesInStudy")})),
                instance_count=_count(row, "NumberOfStudyRelatedInstances"),
                series_count=_count(row, "NumberOfStudyRelatedSeries"),
            )

    def modalities(self, study_uid: str) -> tuple[str, ...]:
        rows = self._find("SERIES", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": "", "Modality": ""})
        return tuple(sorted({_one(row, "Modality").upper() for row in rows} - {""}))

    def instances(self, study_uid: str) -> list[ListedInstance]:
        """Ask series by series: an image-level query names its series in the hierarchical model (PS3.4 C.4.1.3.1)."""
        listed = []
        series = [_one(r, "SeriesInstanceUID") for r in self._find("SERIES", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": ""})]
        for uid in sorted(set(series) - {""}):
            keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": uid, "SOPInstanceUID": "", "SOPClassUID": ""}
            listed += [ListedInstance(_one(r, "SOPInstanceUID"), uid, _one(r, "SOPClassUID")) for r in self._find("IMAGE", keys)]
        return [instance for instance in listed if instance.sop_uid]

    def retrieve(self, study_uid: str, missing: Mapping[str, ListedInstance], inbox: Inbox, *, whole: bool) -> None:
        if self._spec.retrieve != "c-move" and not self._get_refused:
            try:
                self._get(study_uid, missing, inbox, whole=whole)
            except GetRefusedError:
                if self._spec.retrieve == "c-get" or not self._spec.receivers:
                    raise ReleaseError(
                        "archive.retrieve", "the archive refuses C-GET", "name receivers for C-MOVE, and let the archive know them"
                    ) from None
                self._get_refused = True
            else:
                return
        receivers = self._spec.receivers
        with self._pace.place("receiver", len(receivers)) as number:
            receiver = receivers[number]
            context = tls_context(self._spec.tls, _server_side()) if self._spec.tls else None
            with receive_study(receiver, self._spec.limits.timeout_seconds, inbox, context) as arrived:
                self._move(receiver.ae_title, study_uid, missing, whole=whole)
                arrived.raise_failure()

    # --- associations

    def _find(self, level: str, keys: Mapping[str, str]) -> list[Any]:
        from pydicom.dataset import Dataset

        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        if not all(value.isascii() for value in keys.values()):
            identifier.SpecificCharacterSet = "ISO_IR 192"
        for keyword, value in keys.items():
            if keyword != "SpecificCharacterSet":
                setattr(identifier, keyword, value)
        rows = []
        try:
            for status, row in self._asked().send_c_find(identifier, _FIND):
                code = _status(status)
                if code in _TOO_MANY:
                    raise TooManyMatchesError
                if code in _PENDING and row is not None:
                    rows.append(row)
                elif code not in (*_PENDING, 0x0000):
                    raise PassingError(f"answered a query with status {code:04X}")
        except (ValueError, RuntimeError, AttributeError, OSError) as error:
            self.close()
            raise PassingError(f"broke off ({type(error).__name__})") from None
        except (PassingError, TooManyMatchesError):
            self.close()
            raise
        return rows

    def _asked(self) -> Any:
        """Return the association of the questions: the one that is open, or a new one."""
        if self._asking is None or not self._asking.is_established:
            self.close()
            self._questions = ExitStack()
            self._asking = self._questions.enter_context(self._associated([(_FIND, UNCOMPRESSED[:2])]))
        return self._asking

    def _get(self, study_uid: str, missing: Mapping[str, ListedInstance], inbox: Inbox, *, whole: bool) -> None:
        """Pull by C-GET. Raises GetRefusedError when the archive does not offer it."""
        said = {i.sop_class_uid for i in missing.values()}
        classes = sorted(said) if "" not in said else [*sorted(said - {""}), *storage_classes()]
        for start in range(0, len(classes), CLASSES_AT_ONCE):
            self._get_classes(study_uid, classes[start : start + CLASSES_AT_ONCE], missing, inbox, whole=whole)
            missing = {uid: i for uid, i in missing.items() if uid not in inbox.files}
            if not missing:
                return
            whole = False

    def _get_classes(self, study_uid: str, classes: list[str], missing: Mapping[str, ListedInstance], inbox: Inbox, *, whole: bool) -> None:
        """Pull what is of some SOP classes; we are the storage SCP for them in the same association (PS3.7 D.3.3.4)."""
        from pynetdicom import build_role, evt

        failure: list[Exception] = []

        def on_store(event: Any) -> int:
            return _take(event, inbox, failure)

        roles = [build_role(uid, scp_role=True) for uid in classes]
        handlers = [(evt.EVT_C_STORE, on_store)]
        with self._associated([(_GET, UNCOMPRESSED[:2]), *storage_contexts(classes)], roles, handlers) as association:
            accepted = {c.abstract_syntax for c in association.accepted_contexts}
            if _GET not in accepted or not accepted.intersection(classes):
                raise GetRefusedError
            for identifier in _identifiers(study_uid, missing, whole=whole):
                for status, _ in association.send_c_get(identifier, _GET):
                    if failure:
                        association.abort()
                        break
                    _check_retrieval(_status(status))
                if failure:
                    break
        if failure:
            raise failure[0] from None

    def _move(self, destination: str, study_uid: str, missing: Mapping[str, ListedInstance], *, whole: bool) -> None:
        with self._associated([(_MOVE, UNCOMPRESSED[:2])]) as association:
            for identifier in _identifiers(study_uid, missing, whole=whole):
                for status, _ in association.send_c_move(identifier, destination, _MOVE):
                    code = _status(status)
                    if code == 0xA801:
                        raise ReleaseError("archive.receivers", "the archive does not know our AE title", "have it configured there")
                    _check_retrieval(code)

    @contextmanager
    def _associated(
        self, contexts: Iterable[tuple[str, list[str]]], roles: list[Any] | None = None, handlers: list[Any] | None = None
    ) -> Iterator[Any]:
        """Open an association and close it. Whatever goes wrong on the way is a PassingError or a ReleaseError."""
        from pynetdicom import AE

        spec = self._spec
        entity = AE(ae_title=spec.calling_ae_title)
        silence = spec.limits.timeout_seconds
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = silence
        entity.connection_timeout = min(30.0, silence)
        entity.maximum_pdu_size = 0
        for uid, syntaxes in contexts:
            entity.add_requested_context(uid, syntaxes)
        tls = (tls_context(spec.tls), spec.host) if spec.tls else None
        association = entity.associate(
            spec.host, spec.port, ae_title=spec.ae_title, ext_neg=roles, evt_handlers=handlers or [], tls_args=tls
        )
        try:
            if not association.is_established:
                raise _not_established(association, spec)
            yield association
            if association.is_established:
                association.release()
        except (ValueError, RuntimeError) as error:  # pynetdicom: no accepted context, or the association is gone
            raise PassingError(f"broke off ({type(error).__name__})") from None
        except (OSError, AttributeError) as error:
            raise PassingError(f"cannot be reached ({type(error).__name__})") from None
        finally:
            if association.is_alive() and not association.is_released:
                association.abort()


def _identifiers(study_uid: str, missing: Mapping[str, ListedInstance], *, whole: bool) -> Iterator[Any]:
    """Yield what to ask for: the study, or the missing instances series by series (PS3.4 C.4.3.1.3.1)."""
    from pydicom.dataset import Dataset

    def identifier(level: str, **keys: Any) -> Any:
        dataset = Dataset()
        dataset.QueryRetrieveLevel, dataset.StudyInstanceUID = level, study_uid
        for keyword, value in keys.items():
            setattr(dataset, keyword, value)
        return dataset

    if whole:
        yield identifier("STUDY")
        return
    for series in sorted({i.series_uid for i in missing.values()}):
        for uid in sorted(i.sop_uid for i in missing.values() if i.series_uid == series):
            yield identifier("IMAGE", SeriesInstanceUID=series, SOPInstanceUID=uid)


def _take(event: Any, inbox: Inbox, failure: list[Exception]) -> int:
    """Keep one object that arrived; after a failure nothing more is taken."""
    if failure:
        return 0xA700
    try:
        inbox.put(event.encoded_dataset())
    except (OutsideStudyError, PassingError, OSError) as error:
        failure.append(error)
        return 0xA900 if isinstance(error, OutsideStudyError) else 0xA700
    return 0x0000


def _status(status: Any) -> int:
    """Return the status code of a response; none came when the association ended or stayed silent."""
    if status is None or "Status" not in status:
        raise PassingError("fell silent or broke off")
    return int(status.Status)


def _check_retrieval(code: int) -> None:
    # Warnings and failures of sub-operations leave instances missing: the caller counts those and asks again.
    if code in (0x0000, 0xB000, 0xFE00, *_PENDING) or code in (0xA702, 0xA701):
        return
    raise PassingError(f"answered a retrieval with status {code:04X}")


def _not_established(association: Any, spec: DimseSpec) -> Exception:
    if association.is_rejected:
        return ReleaseError("archive", "rejects our association", f"let it know the AE title {spec.calling_ae_title}, and check ae_title")
    try:
        with socket.create_connection((spec.host, spec.port), timeout=5):
            pass
    except OSError as error:
        return PassingError(f"cannot be reached ({type(error).__name__})")
    if spec.tls:
        return PassingError("does not answer over TLS (check tls.ca, tls.certificate and tls.key)")
    return PassingError("answers on its port but does not speak with us")


def _server_side() -> Any:
    import ssl

    return ssl.Purpose.CLIENT_AUTH


def _all(row: Any, keyword: str) -> list[str]:
    value = getattr(row, keyword, None)
    if value is None or value == "":
        return []
    values = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    return [str(v).strip(" \0") for v in values]


def _one(row: Any, keyword: str) -> str:
    values = _all(row, keyword)
    return values[0] if values else ""


def _count(row: Any, keyword: str) -> int:
    value = _one(row, keyword)
    return int(value) if value.isdigit() else -1

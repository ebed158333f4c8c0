"""An archive that misbehaves on request: pynetdicom's SCP with faults that are injected for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)


@dataclass
class FaultyScp:
    """What the archive holds, what it was asked, and how it shall misbehave next."""

    objects: list[Dataset]
    fault: str = ""
    times: int = 0  # how often the fault still happens
    port: int = 0
    retrievals: int = 0
    finds: list[tuple[str, Dataset]] = field(default_factory=list)
    stall_seconds: float = 3
    refuse_get: bool = False
    receivers: dict[str, tuple[str, int]] = field(default_factory=dict)
    counts_said: bool = True
    max_matches: int | None = None
    on_retrieval: Callable[[], None] = lambda: None
    refused_classes: frozenset[str] = frozenset()  # storage classes that are not accepted in a negotiation
    refused_syntaxes: frozenset[str] = frozenset()

    def inject(self, fault: str, times: int = 1) -> None:
        self.fault, self.times = fault, times

    def take_fault(self, *kinds: str) -> str:
        if self.times > 0 and self.fault in kinds:
            self.times -= 1
            return self.fault
        return ""

    def matching(self, identifier: Dataset) -> list[Dataset]:
        found = self.objects
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "AccessionNumber"):
            wanted = str(identifier.get(keyword) or "")
            if wanted:
                found = [ds for ds in found if str(ds.get(keyword)) in wanted.split("\\")]
        dates = str(identifier.get("StudyDate") or "")
        if "-" in dates:
            first, last = dates.split("-")
            found = [ds for ds in found if (first or "0") <= ds.StudyDate <= (last or "9")]
        return found

    def on_requested(self, event: evt.Event) -> None:
        """Refuse presentation contexts before they are negotiated."""
        acceptor = event.assoc.acceptor
        kept = [c for c in acceptor.supported_contexts if c.abstract_syntax not in self.refused_classes]
        for context in kept:
            context.transfer_syntax = [t for t in context.transfer_syntax or [] if t not in self.refused_syntaxes]
        acceptor.supported_contexts = [c for c in kept if c.transfer_syntax]

    # --- handlers

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        identifier = event.identifier
        level = identifier.QueryRetrieveLevel
        self.finds.append((level, identifier))
        if self.take_fault("abort find"):
            event.assoc.abort()
            return
        key = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        groups: dict[str, list[Dataset]] = {}
        for ds in self.matching(identifier):
            groups.setdefault(ds[key].value, []).append(ds)
        for number, group in enumerate(groups.values()):
            if self.max_matches and number >= self.max_matches and level == "STUDY":
                yield 0xA700, None
                return
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            for element in identifier:
                if element.keyword in group[0] and element.keyword != "SpecificCharacterSet":
                    answer[element.tag] = group[0][element.tag]
            if level == "STUDY":
                answer.ModalitiesInStudy = sorted({ds.Modality for ds in group})
                if self.counts_said:
                    answer.NumberOfStudyRelatedInstances = len(group)
                    answer.NumberOfStudyRelatedSeries = len({ds.SeriesInstanceUID for ds in group})
            yield 0xFF00, answer

    def on_get(self, event: evt.Event) -> Iterator[object]:
        self.retrievals += 1
        yield from self._send(event)

    def on_move(self, event: evt.Event) -> Iterator[object]:
        self.retrievals += 1
        if event.move_destination not in self.receivers:
            yield None, None
            return
        host, port = self.receivers[event.move_destination]
        yield host, port, {"contexts": AllStoragePresentationContexts[:120]}
        yield from self._send(event)

    def _send(self, event: evt.Event) -> Iterator[object]:
        self.on_retrieval()
        objects = self.matching(event.identifier)
        fault = self.take_fault("abort", "missing instance", "wrong study", "warning", "stall", "failure")
        if fault == "missing instance" and objects:
            objects = objects[1:]
        if fault == "wrong study":
            foreign = next(ds for ds in self.objects if ds.StudyInstanceUID != objects[0].StudyInstanceUID)
            objects = [*objects[:1], foreign, *objects[1:]]
        yield len(objects)
        if fault == "failure":
            yield 0xC001, None
            return
        for number, ds in enumerate(objects):
            if fault == "abort" and number == len(objects) // 2:
                event.assoc.abort()
                return
            if fault == "stall" and number == len(objects) // 2:
                time.sleep(self.stall_seconds)
            if fault == "warning" and number == 0:
                yield 0xB000, None
                return
            yield 0xFF00, ds


@contextmanager
def running(scp: FaultyScp, tls: object = None) -> Iterator[FaultyScp]:
    """Run the archive on a free port, or again on the port that it had."""
    entity = AE(ae_title="FAULTY")
    entity.require_called_aet = True
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    if not scp.refuse_get:
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
    handlers: list[Any] = [(evt.EVT_C_FIND, scp.on_find), (evt.EVT_C_GET, scp.on_get), (evt.EVT_C_MOVE, scp.on_move)]
    handlers.append((evt.EVT_REQUESTED, scp.on_requested))
    server = entity.start_server(("127.0.0.1", scp.port), block=False, evt_handlers=handlers, ssl_context=tls)
    scp.port = server.socket.getsockname()[1]
    try:
        yield scp
    finally:
        server.shutdown()

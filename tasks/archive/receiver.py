"""A storage receiver of our own, open only while one study is moved to it (C-MOVE); it takes that study and nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.archive.pace import PassingError
from tasks.archive.remote import Inbox, OutsideStudyError
from tasks.archive_spec import Receiver
from tasks.errors import ReleaseError


class Arrivals:
    """What went wrong while objects arrived; the objects themselves are in the inbox."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def raise_failure(self) -> None:
        """Raise what stopped the arrivals, if anything did."""
        if self.failure is not None:
            raise self.failure from None


@contextmanager
def receive_study(receiver: Receiver, silence: float, inbox: Inbox, tls: ssl.SSLContext | None = None) -> Iterator[Arrivals]:
    """Listen as the receiver while the block runs, and put what arrives into the inbox."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt
    from pynetdicom.presentation import PresentationContext

    arrivals = Arrivals()

    def on_store(event: Any) -> int:
        if arrivals.failure is not None:
            return 0xA700
        try:
            inbox.put(event.encoded_dataset())
        except (OutsideStudyError, PassingError, OSError) as error:
            arrivals.failure = error
            event.assoc.abort()
            return 0xA900
        return 0x0000

    entity = AE(ae_title=receiver.ae_title)
    entity.require_called_aet = True
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = silence
    entity.maximum_pdu_size = 0
    entity.maximum_associations = 10
    syntaxes = _syntaxes()
    context: PresentationContext
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, syntaxes)
    try:
        server = entity.start_server(
            (receiver.address, receiver.port), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)], ssl_context=tls
        )
    except OSError as error:
        raise ReleaseError(
            "archive.receivers", f"cannot listen ({type(error).__name__})", "choose a free port, and tell the archive"
        ) from None
    try:
        yield arrivals
    finally:
        server.shutdown()


def _syntaxes() -> list[str]:
    from pynetdicom import ALL_TRANSFER_SYNTAXES

    return [str(uid) for uid in ALL_TRANSFER_SYNTAXES]

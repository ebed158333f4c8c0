"""Split a multipart/related body (RFC 2387) into parts while it arrives; a part never has to fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email.message import Message

MAX_HEADER_BYTES = 64 << 10


class MultipartError(Exception):
    """The body is no multipart message, or it ended before its last boundary."""


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names. Raises MultipartError."""
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_maintype() != "multipart" or not isinstance(boundary, str) or not boundary:
        raise MultipartError
    return boundary.encode("latin-1")


def parts(chunks: Iterable[bytes], boundary: bytes) -> Iterator[Iterator[bytes]]:
    """Yield each part's body as an iterator of pieces; one that is not read is skipped. Raises MultipartError at a cut."""
    body = _Body(chunks)
    mark = b"--" + boundary
    for _ in body.until(mark, at_line_start=True):  # the preamble
        pass
    while True:
        body.need(2)
        if body.data.startswith(b"--"):
            return
        header_size = body.find_header_end()
        del body.data[:header_size]
        piece = body.until(b"\r\n" + mark, at_line_start=False)
        yield piece
        for _ in piece:
            pass


class _Body:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.data = bytearray()

    def more(self) -> None:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise MultipartError
        self.data += chunk

    def need(self, count: int) -> None:
        while len(self.data) < count:
            self.more()

    def find_header_end(self) -> int:
        """Return where the part's body begins: after its headers' empty line, or right away when it has none."""
        while True:
            if self.data.startswith(b"\r\n\r\n"):
                return 4
            at = self.data.find(b"\r\n\r\n")
            if at >= 0:
                return at + 4
            if len(self.data) > MAX_HEADER_BYTES:
                raise MultipartError
            self.more()

    def until(self, mark: bytes, *, at_line_start: bool) -> Iterator[bytes]:
        """Yield pieces up to the mark and take the mark away."""
        while True:
            at = self.data.find(mark)
            if at >= 0 and (not at_line_start or at == 0 or self.data[at - 2 : at] == b"\r\n"):
                piece = bytes(self.data[:at])
                del self.data[: at + len(mark)]
                if piece:
                    yield piece
                return
            keep = len(mark) + 2
            if len(self.data) > keep:
                piece = bytes(self.data[:-keep])
                del self.data[:-keep]
                yield piece
            self.more()

"""Members of zip files as inputs, with limits that no honest zip reaches and every zip bomb does."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_RATIO = 1100  # deflate cannot do better than 1032:1 (RFC 1951), so more means overlapping members
MAX_MEMBER_BYTES = 16 << 30
MAX_DIRECTORY_BYTES = 256 << 20

Failures = (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, NotImplementedError, EOFError, struct.error, ValueError, OverflowError)
"""What zipfile raises for damaged, encrypted or unknown containers (RuntimeError: encrypted)."""


def is_zip(start: bytes) -> bool:
    """Say whether a file that begins with these bytes is a zip file and not a DICOM object with such a preamble."""
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06") and start[128:132] != b"DICM"


def open_zip(path: Path) -> zipfile.ZipFile | None:
    """Open a zip file; None when it is damaged, or claims more than a zip of its size can hold."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - 65_557))
            tail = file.read()
            at = tail.rfind(b"PK\x05\x06")
            if at < 0 or (struct.unpack_from("<I", tail, at + 12)[0] > MAX_DIRECTORY_BYTES and size < MAX_DIRECTORY_BYTES):
                return None
        container = zipfile.ZipFile(path)
    except (*Failures, zipfile.error):
        return None
    if sum(m.file_size for m in container.infolist()) > MAX_RATIO * max(size, 1) or container.start_dir > size:
        container.close()
        return None
    return container


def members(container: zipfile.ZipFile) -> Iterator[tuple[int, zipfile.ZipInfo]]:
    """Yield (position, member) of everything that is a file."""
    for position, member in enumerate(container.infolist()):
        if not member.is_dir():
            yield position, member


def within_limits(member: zipfile.ZipInfo) -> bool:
    """Say whether a member may be unpacked."""
    return (
        member.file_size <= MAX_MEMBER_BYTES and member.file_size <= MAX_RATIO * max(member.compress_size, 1) and not member.flag_bits & 1
    )


def seekable(stream: BinaryIO) -> BinaryIO:
    """Return a stream that can be read at any offset that lies ahead."""
    return stream if stream.seekable() else io.BytesIO(stream.read(1 << 20))

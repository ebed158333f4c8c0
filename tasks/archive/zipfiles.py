"""Members of zip files as inputs, with limits that no honest zip reaches and every zip bomb does."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_RATIO = 1100  # deflate cannot do better than 1032:1 (RFC 1951), so more means overlapping members
MAX_MEMBER_BYTES = 16 << 30
MAX_DIRECTORY_BYTES = 256 << 20
_ZIP64 = 0xFFFFFFFF  # the size stands elsewhere

Failures = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error),
    *(RuntimeError, NotImplementedError, EOFError, ValueError, OverflowError),
)
"""What zipfile raises for damaged, encrypted or unknown containers (RuntimeError: encrypted)."""


def is_zip(start: bytes) -> bool:
    """Say whether a file that begins with these bytes is a zip file and not a DICOM object with such a preamble."""
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06") and start[128:132] != b"DICM"


def open_zip(file: BinaryIO, size: int) -> zipfile.ZipFile | None:
    """Open a zip file of `size` bytes; None when it is damaged, or claims more than a zip of its size can hold."""
    try:
        file.seek(max(0, size - 65_557))
        tail = file.read(65_557)
        at = tail.rfind(b"PK\x05\x06")
        directory = struct.unpack_from("<I", tail, at + 12)[0] if at >= 0 else size + 1
        if directory > min(MAX_DIRECTORY_BYTES, size) and directory != _ZIP64:
            return None
        container = zipfile.ZipFile(file)
    except Failures:
        return None
    if sum(m.file_size for m in container.infolist()) > MAX_RATIO * max(size, 1):
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


def unpack(container: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int | None) -> None:
    """Write a member to `target`, at most `limit` bytes of it. One that may not be unpacked or is damaged ends early."""
    left = member.file_size if limit is None else min(member.file_size, limit)
    with target.open("xb") as copy:
        if not within_limits(member):
            return  # accounted for as an empty file
        try:
            with container.open(member) as stream:
                while left > 0 and (chunk := stream.read(min(left, 1 << 20))):
                    copy.write(chunk)
                    left -= len(chunk)
        except Failures:
            return  # judged as what could be read of it

"""Walk a folder tree once: every file exactly once, through links, past loops, pipes and closed folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

Found = tuple[bytes, bytes, os.stat_result | None]
"""(folder relative to the root, name, status); status None: it is there and cannot be read."""


def walk_files(root: Path) -> Iterator[Found]:
    """Yield every regular file below `root` (or `root` itself, as (b"", b"")).

    Links are followed; a folder or file that is reachable twice is yielded once. Pipes, sockets and devices are no files.
    A closed folder and a dangling link are yielded with status None: something is there, and is not read.
    """
    top = os.fsencode(root)
    status = os.stat(top)  # noqa: PTH116 - bytes, here and below: names need not be text
    if not stat.S_ISDIR(status.st_mode):
        yield b"", b"", status
        return
    links: list[bytes] = []
    yield from _walk(top, b"", links, set())
    yield from _walk_links(top, links)


def _walk(top: bytes, start: bytes, links: list[bytes], skip: set[bytes]) -> Iterator[Found]:
    """Walk one tree without following links; those are collected in `links`."""
    pending = [start]
    while pending:
        folder = pending.pop()
        try:
            listing = os.scandir(os.path.join(top, folder))  # noqa: PTH118
        except OSError:
            yield folder, b".", None
            continue
        subfolders = []
        with listing:
            while True:
                try:
                    item = next(listing, None)
                    if item is None:
                        break
                    if item.is_symlink():
                        links.append(os.path.join(folder, item.name))  # noqa: PTH118
                    elif item.is_dir(follow_symlinks=False):
                        subfolders.append(os.path.join(folder, item.name))  # noqa: PTH118
                    elif item.is_file(follow_symlinks=False):
                        yield folder, item.name, item.stat(follow_symlinks=False)
                except OSError:
                    yield folder, b".", None
                    break
        pending.extend(s for s in sorted(subfolders, reverse=True) if not skip or os.path.realpath(os.path.join(top, s)) not in skip)  # noqa: PTH118


def _walk_links(top: bytes, links: list[bytes]) -> Iterator[Found]:
    """Follow the links that lead to what was not yielded before."""
    walked = {os.path.realpath(top)}
    taken: set[bytes] = set()
    links.sort(reverse=True)
    while links:
        link = links.pop()
        folder, name = os.path.split(link)
        real = os.path.realpath(os.path.join(top, link))  # noqa: PTH118
        try:
            status = os.stat(real)  # noqa: PTH116
        except OSError:
            yield folder, name, None
            continue
        if _inside(real, walked) or real in taken:
            continue
        if stat.S_ISDIR(status.st_mode):
            more: list[bytes] = []
            yield from _walk(top, link, more, walked)
            walked.add(real)
            links.extend(sorted(more, reverse=True))
        elif stat.S_ISREG(status.st_mode):
            taken.add(real)
            yield folder, name, status


def _inside(real: bytes, folders: set[bytes]) -> bool:
    while True:
        if real in folders:
            return True
        parent = os.path.dirname(real)  # noqa: PTH120
        if parent == real:
            return False
        real = parent

"""Folders for work in between, gone afterwards; a disk that runs full under them is a cause, not a crash.

What is kept does not belong here (stores).
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause, refuse

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NOTHING_LEFT_BYTES = 1 << 16


@contextmanager
def scratch_folder(what: str, within: Path | None = None) -> Iterator[Path]:
    """Yield a new folder (in the system's temporary one by default); STORE_FULL at `scratch` when its disk has no room left."""
    with tempfile.TemporaryDirectory(prefix=f"sallyport-{what}-", dir=within) as folder:
        try:
            yield Path(folder)
        except ReleaseError:
            raise
        except OSError as error:
            if error.errno in _FULL:
                raise refuse(Cause.STORE_FULL, "scratch") from None
            raise
        except Exception:
            # DuckDB has exceptions of its own for this, told from its others by their words only.
            if shutil.disk_usage(folder).free < _NOTHING_LEFT_BYTES:
                raise refuse(Cause.STORE_FULL, "scratch") from None
            raise

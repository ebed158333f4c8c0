"""Reading an S3 object's body over connections that break."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError

from tasks.publish.causes import Cause, refuse
from tasks.publish.s3_errors import explain


class ResumingBody(io.RawIOBase):
    """An object's body that goes on where it stopped when the connection breaks, as long as the object is the same."""

    def __init__(self, get: Callable[[dict[str, str]], dict[str, Any] | None], answer: dict[str, Any]) -> None:
        self._get, self._etag = get, answer["ETag"]
        self._body, self._left, self._at, self._retries = answer["Body"], int(answer["ContentLength"]), 0, 3

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._left:
            try:
                data = self._body.read(min(len(buffer), self._left))
            except BotoCoreError as error:
                data = b""
                if not self._retries:
                    raise explain(error) from None
            if data:
                buffer[: len(data)] = data
                self._at += len(data)
                self._left -= len(data)
                return len(data)
            self._resume()
        return 0

    def _resume(self) -> None:
        if not self._retries:
            raise refuse(Cause.STORE_UNREACHABLE, "store", "the connection keeps breaking")
        self._retries -= 1
        answer = self._get({"Range": f"bytes={self._at}-", "IfMatch": self._etag})
        if answer is None:
            raise refuse(Cause.STORE_UNREACHABLE, "store", "an object vanished while it was read")
        self._body = answer["Body"]

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()

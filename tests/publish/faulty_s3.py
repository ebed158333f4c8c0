"""An S3 server in this process that can be told to misbehave: what real servers do on their bad days, on demand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlparse
from xml.sax.saxutils import escape


class FaultyS3(ThreadingHTTPServer):
    """Keeps objects in memory; `faults` says what goes wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.faults: set[str] = set()
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"s3://bucket/set?endpoint=http://127.0.0.1:{self.server_address[1]}&addressing=path"


@contextmanager
def faulty_s3(*faults: str) -> Iterator[FaultyS3]:
    server = FaultyS3()
    server.faults.update(faults)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyS3

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{escape(self.path)} of patient Doe</Message></Error>"
        self._answer(status, text.encode(), Content_Type="application/xml", x_amz_bucket_region="eu-west-1")

    def _begin(self) -> tuple[str, bytes] | None:
        """Read the request; None when a fault of the whole server has answered it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = unquote(urlparse(self.path).path).removeprefix("/bucket").removeprefix("/")
        self.server.requests.append((self.command, key))
        refusals = {
            "other region": (301, "PermanentRedirect"),
            "wrong region": (400, "AuthorizationHeaderMalformed"),
            "clock": (403, "RequestTimeTooSkewed"),
            "expired": (400, "ExpiredToken"),
            "full": (507, "InsufficientStorage"),
            "quota": (403, "QuotaExceeded"),
            "always busy": (503, "SlowDown"),
        }
        for fault, (status, code) in refusals.items():
            if fault in self.server.faults:
                self._refuse(status, code)
                return None
        if "busy once" in self.server.faults:
            self.server.faults.remove("busy once")
            self._refuse(503, "SlowDown")
            return None
        return key, body

    def do_PUT(self) -> None:
        if (begun := self._begin()) is None:
            return
        key, body = begun
        faults, objects = self.server.faults, self.server.objects
        if "conflict once" in faults:
            faults.remove("conflict once")
            self._refuse(409, "ConditionalRequestConflict")
            return
        if "ignores conditions" not in faults:
            etag = f'"{_md5(objects[key])}"' if key in objects else ""
            wanted = self.headers.get("If-Match", "")
            if (self.headers.get("If-None-Match") == "*" and key in objects) or (wanted and wanted != etag):
                self._refuse(412, "PreconditionFailed")
                return
        objects[key] = body[:-1] if "damages" in faults else body
        headers = {} if "no etag" in faults else {"ETag": f'"{_md5(objects[key])}"'}
        if (kind := self.headers.get("x-amz-server-side-encryption")) and "no encryption" not in faults:
            headers["x-amz-server-side-encryption"] = kind
        self._answer(200, **headers)

    def do_GET(self) -> None:
        if (begun := self._begin()) is None:
            return
        key, _ = begun
        query = parse_qs(urlparse(self.path).query, keep_blank_values=True)
        if "versions" in query or "list-type" in query:
            self._list(query)
            return
        if key not in self.server.objects:
            self._refuse(404, "NoSuchKey")
            return
        data, start = self.server.objects[key], 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{_md5(data)}"')
        self.end_headers()
        if self.command == "HEAD":
            return
        if "breaks off" in self.server.faults and len(data) - start > 100:
            self.server.faults.discard("breaks off")
            self.wfile.write(data[start : start + 50])
            self.close_connection = True
            return
        self.wfile.write(data[start:])

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        if (begun := self._begin()) is not None:
            self.server.objects.pop(begun[0], None)
            self._answer(204)

    def _list(self, query: dict[str, list[str]]) -> None:
        if "no listing" in self.server.faults:
            self._refuse(403, "AccessDenied")
            return
        keys = sorted(k for k in self.server.objects if k.startswith(query.get("prefix", [""])[0]))
        item, version = ("Version", "<VersionId>null</VersionId>") if "versions" in query else ("Contents", "")
        rows = "".join(f"<{item}><Key>{escape(k)}</Key>{version}<Size>{len(self.server.objects[k])}</Size></{item}>" for k in keys)
        name = "ListVersionsResult" if "versions" in query else "ListBucketResult"
        self._answer(200, f"<{name}><IsTruncated>false</IsTruncated>{rows}</{name}>".encode(), Content_Type="application/xml")


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()

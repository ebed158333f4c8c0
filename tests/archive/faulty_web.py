"""A DICOMweb server that misbehaves on request."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from pydicom.dataset import Dataset

from tests.archive.made import to_bytes


@dataclass
class FaultyWeb:
    """What the server holds, what it was asked, and how it shall misbehave next."""

    objects: list[Dataset]
    fault: str = ""
    times: int = 0
    port: int = 0
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    page: int = 1000
    ignores_offset: bool = False
    scheme: str = "http"
    stall_seconds: float = 3
    on_retrieval: Callable[[], None] = lambda: None

    def inject(self, fault: str, times: int = 1) -> None:
        self.fault, self.times = fault, times

    def take_fault(self, *kinds: str) -> str:
        if self.times > 0 and self.fault in kinds:
            self.times -= 1
            return self.fault
        return ""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/dicom-web"


def _json(ds: Dataset, tags: list[int], **more: object) -> dict[str, object]:
    row = {f"{tag:08X}": {"vr": ds[tag].VR, "Value": [str(ds[tag].value)]} for tag in tags if tag in ds}
    return {**row, **{tag[1:]: {"vr": "IS", "Value": [value]} for tag, value in more.items()}}


@contextmanager
def running(web: FaultyWeb, tls: ssl.SSLContext | None = None) -> Iterator[FaultyWeb]:
    """Run the server on a free port, or again on the port that it had."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            web.requests.append(self.path)
            web.headers.append(dict(self.headers))
            parsed = urlparse(self.path)
            parts = parsed.path.removeprefix("/dicom-web/").split("/")
            query = {k: v[0] for k, v in parse_qs(parsed.query).items()}
            if fault := web.take_fault("500", "503", "429", "401", "403", "404 find", "html", "stall find"):
                if fault == "stall find":
                    time.sleep(web.stall_seconds)
                    return
                if fault == "html":
                    self._answer(200, b"<html>Login</html>", "text/html")
                    return
                self._answer(int(fault[:3]), b"SECRET-NAME in an error page", "text/plain")
                return
            if parts == ["studies"] or parts[-1] in ("series", "instances"):
                self._search(parts, query)
            else:
                self._retrieve(parts)

        def _search(self, parts: list[str], query: dict[str, str]) -> None:
            found = web.objects
            if len(parts) > 1:
                found = [ds for ds in found if ds.StudyInstanceUID == parts[1]]
            key = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}[parts[-1]]
            groups: dict[str, list[Dataset]] = {}
            for ds in found:
                groups.setdefault(ds[key].value, []).append(ds)
            rows = []
            for group in groups.values():
                tags = [0x0020000D, 0x0020000E, 0x00080018, 0x00080016] if parts[-1] != "studies" else []
                tags += [0x00100020, 0x0020000D, 0x00080020, 0x00080050, 0x00080060, 0x00081030] if parts[-1] == "studies" else []
                rows.append(_json(group[0], tags, **({"t00201208": len(group)} if parts[-1] == "studies" else {})))
            offset = 0 if web.ignores_offset else int(query.get("offset", 0))
            limit = min(web.page, int(query.get("limit", 10**6)))
            self._answer(200, json.dumps(rows[offset : offset + limit]).encode(), "application/dicom+json")

        def _retrieve(self, parts: list[str]) -> None:
            web.on_retrieval()
            found = [ds for ds in web.objects if ds.StudyInstanceUID == parts[1]]
            if "instances" in parts:
                found = [ds for ds in found if ds.SOPInstanceUID == parts[-1]]
            fault = web.take_fault("cut", "missing instance", "wrong study", "stall", "404", "406", "garbage part")
            if fault in ("404", "406"):
                self._answer(int(fault), b"", "text/plain")
                return
            if fault == "missing instance":
                found = found[1:]
            if fault == "wrong study":
                found = [found[0], next(ds for ds in web.objects if ds.StudyInstanceUID != parts[1]), *found[1:]]
            data = [to_bytes(ds) for ds in found]
            if fault == "garbage part":
                data[0] = b"\x00" * 500
            body = b"".join(b"\r\n--XYZ\r\nContent-Type: application/dicom\r\n\r\n" + part for part in data) + b"\r\n--XYZ--\r\n"
            content_type = 'multipart/related; type="application/dicom"; boundary=XYZ'
            if fault in ("cut", "stall"):
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                if fault == "stall":
                    self.wfile.flush()
                    time.sleep(web.stall_seconds)
                self.close_connection = True
                return
            self._answer(200, body, content_type)

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", web.port), Handler)
    server.daemon_threads = True
    if tls is not None:
        web.scheme = "https"
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()

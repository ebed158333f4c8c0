"""A real S3 server (Ceph radosgw) for tests marked `servers`: started once, stopped at the end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "infra/test-servers"
PROGRAMS = ("ceph-mon", "ceph-osd", "ceph-mgr", "radosgw", "radosgw-admin", "ceph")


@dataclass(frozen=True)
class Radosgw:
    port: int

    def environment(self, user: str) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": f"{user}secret", "AWS_REGION": "us-east-1"}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, bucket: str, prefix: str = "set") -> str:
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}&addressing=path"

    def client(self, user: str = "test"):
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required", retries={"max_attempts": 2})
        names = self.environment(user)
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=names["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=names["AWS_SECRET_ACCESS_KEY"],
            config=config,
        )

    def bucket(self, name: str, versioning: bool = False) -> str:
        client = self.client()
        client.create_bucket(Bucket=f"test-{name}")
        if versioning:
            client.put_bucket_versioning(Bucket=f"test-{name}", VersioningConfiguration={"Status": "Enabled"})
        return self.url(f"test-{name}")


@pytest.fixture(scope="session")
def radosgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radosgw]:
    missing = [p for p in PROGRAMS if not shutil.which(p)]
    if missing or os.geteuid() != 0:
        pytest.skip(f"Ceph radosgw cannot be started here: {', '.join(missing) or 'not root'}")
    state, port, monitor = tmp_path_factory.mktemp("radosgw"), _free_port(), _free_port()
    try:
        subprocess.run([str(SCRIPTS / "radosgw.sh"), str(state), str(port), str(monitor)], check=True, timeout=240, capture_output=True)
        yield Radosgw(port)
    finally:
        subprocess.run([str(SCRIPTS / "radosgw-stop.sh"), str(state)], check=False, timeout=60, capture_output=True)


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch, radosgw: Radosgw):
    """Make the stores that are opened from now on use this user's credentials."""

    def become(user: str) -> None:
        for name, value in radosgw.environment(user).items():
            monkeypatch.setenv(name, value)

    return become


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch):
    """A client of S3 in this process, with a bucket named `bucket`."""
    import boto3
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        yield client


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

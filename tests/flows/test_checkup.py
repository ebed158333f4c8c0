"""`sallyport doctor`: each thing that a run needs, missing one at a time, is found and named; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.checkup import CHECKS, examine
from tasks.publish.folder_store import FolderStore
from tasks.publish.store import open_store
from tasks.spec import Spec, read_spec
from tests.flows.sallyport import sallyport

SLOW = ("engines", "face judge")
FACE_JUDGE = CHECKS["face judge"]


@pytest.fixture
def spec(small_archive: Path, write_spec: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Spec:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for name in SLOW:
        monkeypatch.setitem(CHECKS, name, lambda _: "not in this test")
    return read_spec(write_spec(small_archive))


def levels(spec: Spec) -> dict[str, str]:
    return {finding.check: finding.level for finding in examine(spec)}


def test_a_good_machine_has_no_failure(spec: Spec) -> None:
    assert "failure" not in levels(spec).values()
    assert list(levels(spec)) == list(CHECKS)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"archive": {"kind": "folder", "path": "/nowhere"}}, "archive"),
        ({"archive": {"kind": "dicomweb", "url": "http://127.0.0.1:9/dicom-web", "limits": {"attempts": 1}}}, "archive"),
        ({"archive": {"kind": "dimse", "host": "127.0.0.1", "port": 9, "ae_title": "X", "limits": {"attempts": 1}}}, "archive"),
        ({"secret": {"file": "/nowhere"}}, "secret"),
        ({"cohort": {"opt_out": "/nowhere"}}, "lists and registries"),
        ({"private": "file:///proc/nowhere"}, "stores"),
        ({"workers": {"scheduler": "tls://127.0.0.1:9"}}, "workers"),
        ({"workers": {"scheduler": "tcp://192.0.2.1:8786"}}, "workers"),
        ({"schedule": {"cron": "every night"}}, "schedule"),
    ],
)
def test_what_is_missing_is_named(spec: Spec, change: dict[str, object], check: str) -> None:
    broken = Spec.model_validate({**spec.model_dump(mode="json"), **change})
    found = {finding.check: finding for finding in examine(broken)}
    assert found[check].level == "failure"
    assert found[check].remedy


def test_a_store_that_overwrites_is_a_failure_and_a_killed_check_leaves_nothing(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    private, put = open_store(spec.private), FolderStore.put
    private.put("vault/probe-0123", b"first")
    assert levels(spec)["stores"] != "failure"
    assert list(private.keys("vault/probe-")) == []
    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "put", lambda self, key, data, **_: put(self, key, data))
        assert levels(spec)["stores"] == "failure"
    assert list(private.keys("vault/probe-")) == []


def test_sides_inside_each_other_are_a_failure(spec: Spec) -> None:
    broken = spec.model_copy(update={"public": f"{spec.private}/public"})
    assert levels(broken)["stores"] == "failure"


def test_a_certificate_that_ends_soon_is_noticed(spec: Spec, tmp_path: Path) -> None:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "made")])
    now = datetime.datetime.now(datetime.UTC)
    for days, level in ((10, "warning"), (100, "ok"), (-1, "failure")):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        builder = builder.not_valid_before(now - datetime.timedelta(days=400)).not_valid_after(now + datetime.timedelta(days=days, hours=1))
        (tmp_path / "ca.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        archive = {"kind": "dicomweb", "url": "https://127.0.0.1:9/x", "tls": {"ca": str(tmp_path / "ca.pem")}, "limits": {"attempts": 1}}
        assert levels(Spec.model_validate({**spec.model_dump(mode="json"), "archive": archive}))["TLS"] == level


def test_the_doctor_leaves_nothing_behind(spec: Spec) -> None:
    list(examine(spec))
    private = Path(spec.private.removeprefix("file://"))
    assert [p for p in private.rglob("*") if p.is_file()] == []


@pytest.mark.slow
def test_the_command_says_it_all_and_exits_by_it(small_archive: Path, write_spec: Callable[..., Path]) -> None:
    good = sallyport("doctor", write_spec(small_archive), "--json")
    assert good.code == 0, good.out + good.err
    assert {finding["check"] for finding in good.data} == set(CHECKS)
    bad = sallyport("doctor", write_spec(Path("/nowhere")))
    assert bad.code == 1
    assert "FAIL" in bad.out


@pytest.mark.parametrize(("notify", "kind"), [("webhook/ops", "call-webhook"), ("slack-webhook/ops", "send-notification")])
def test_people_are_told_of_failures_and_of_what_is_held_by_name_and_state_only(notify: str, kind: str) -> None:
    from uuid import uuid4

    from flows.serve import automations

    built = automations(["chest-ct"], notify, uuid4())
    expected = {name: a.trigger.expect for name, a in built.items() if "tell" in name}
    assert expected == {
        "Sallyport: tell when chest-ct failed": {
            f"prefect.flow-run.{s}" for s in ("CompletedWithFailures", "Failed", "Crashed", "TimedOut")
        },
        "Sallyport: tell when chest-ct is held": {"prefect.flow-run.Held"},
    }
    for name in expected:
        (action,) = built[name].actions
        assert action.type == kind
        text = action.payload if kind == "call-webhook" else action.subject + action.body
        assert "message" not in text
        assert "flow_run.state.name" in text
    assert automations(["chest-ct"], None, None).keys() == {"Sallyport: mark runs whose process died"}


def test_a_server_that_forgets_who_holds_a_dataset_is_noticed(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    from flows.local_server import LEASES_ON_DISK

    kept = {"lease_storage": "prefect.server.concurrency.lease_storage.memory"}

    def answer(url: str, **_: object) -> httpx.Response:
        content = {"server": {"concurrency": kept}} if url.endswith("settings") else "3.8.8"
        return httpx.Response(200, json=content, request=httpx.Request("GET", url))

    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setattr(httpx, "get", answer)
    monkeypatch.setattr(httpx, "post", lambda url, **_: httpx.Response(401, request=httpx.Request("POST", url)))
    assert levels(spec)["Prefect server"] == "warning"
    kept["lease_storage"] = LEASES_ON_DISK
    assert levels(spec)["Prefect server"] == "ok"


def test_workers_that_may_use_more_memory_than_there_is_are_a_doubt(spec: Spec) -> None:
    workers = {"n": 256, "memory_limit": "64GiB"}
    assert levels(Spec.model_validate({**spec.model_dump(mode="json"), "workers": workers}))["machine"] == "warning"


@pytest.mark.parametrize(
    ("interpreter", "level", "said"),
    [("off", "warning", "not installed"), ("/nowhere", "warning", "not installed"), ("/bin/false", "failure", "does not work")],
)
def test_the_face_judge_is_asked_whether_it_works(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, interpreter: str, level: str, said: str
) -> None:
    monkeypatch.setitem(CHECKS, "face judge", FACE_JUDGE)
    monkeypatch.setenv("SALLYPORT_FACE_JUDGE", interpreter)
    found = next(finding for finding in examine(spec) if finding.check == "face judge")
    assert (found.level, said in found.message, bool(found.remedy)) == (level, True, True)


@pytest.mark.slow
def test_an_installed_face_judge_tells_its_versions(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.deface.detectors import judge_interpreter

    if judge_interpreter() is None:
        pytest.skip("the face judge is not installed (infra/judge/install.sh)")
    monkeypatch.setitem(CHECKS, "face judge", FACE_JUDGE)
    found = next(finding for finding in examine(spec) if finding.check == "face judge")
    assert (found.level, "mediapipe" in found.message, "dlib" in found.message) == ("ok", True, True)

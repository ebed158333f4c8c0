"""`sallyport serve` against a real Prefect server: schedule, form, one run at a time, nothing of a patient in its database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.flows.prefect_server import Served, served

pytestmark = pytest.mark.servers

SCHEDULE = '{cron: "30 2 * * *", timezone: Europe/Berlin}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, small_archive: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    key = folder / "secret.key"
    key.write_text(bytes(range(32)).hex())
    key.chmod(0o600)
    spec = folder / "spec.yaml"
    spec.write_text(
        f"dataset: made\narchive: {{kind: folder, path: {small_archive}}}\nprivate: {(folder / 'private').as_uri()}\n"
        f"public: {(folder / 'public').as_uri()}\nsecret: {{file: {key}}}\ngates: {{k: 1}}\nworkers: {{n: 1}}\nschedule: {SCHEDULE}\n"
    )
    with served(folder, spec) as server:
        yield server


def test_the_schedule_and_the_form_are_offered(server: Served) -> None:
    release = server.deployment("release/made")
    (schedule,) = release["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 2 * * *", "Europe/Berlin")
    assert release["global_concurrency_limit"]["limit"] == 1
    assert release["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    for name in ("release/made", "verify/made", "audit/made", "withdraw/made"):
        deployment = server.deployment(name)
        fields = deployment["parameter_openapi_schema"]["properties"]
        assert fields["dataset"]["enum"] == ["made"]
        assert all(field["title"] and field["title"] != name and field["description"] for name, field in fields.items())
        assert deployment["parameters"] == {"dataset": "made"}


def test_the_server_plans_the_coming_nights_by_the_clock_of_the_spec(server: Served) -> None:
    def planned() -> list[datetime]:
        runs = server.call("POST", "/flow_runs/filter", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})
        return sorted(datetime.fromisoformat(run["expected_start_time"]) for run in runs if run["auto_scheduled"])

    deadline = time.monotonic() + 120
    while not planned() and time.monotonic() < deadline:
        time.sleep(1)
    nights = [start.astimezone(ZoneInfo("Europe/Berlin")) for start in planned()]
    assert len(nights) >= 3  # none at all with a SQLAlchemy that Prefect's scheduler does not know
    assert {(night.hour, night.minute) for night in nights} <= {(2, 30), (1, 30)}  # half past one where the clock goes forward
    assert all(later.date() > earlier.date() for earlier, later in pairwise(nights))


def test_nobody_without_the_login_gets_in(server: Served) -> None:
    answer = httpx.post(f"{server.url}/api/deployments/filter", json={}, trust_env=False)
    assert answer.status_code == 401
    assert (server.home / "prefect" / "ui-login").stat().st_mode & 0o077 == 0


def test_a_run_from_the_form_makes_a_release_and_a_second_one_waits_its_turn(server: Served) -> None:
    first = server.start("release/made")
    server.wait(first, "Running")
    second = server.start("release/made", action="Only count what is new or changed")
    while server.run(first)["state_type"] == "RUNNING":
        assert server.run(second)["state_type"] in ("SCHEDULED", "PENDING")
        time.sleep(1)
    assert server.run(first)["state_name"] == "Completed", server.run(first)["state"]["message"]
    assert (server.home / "public" / "latest.json").is_file()
    assert server.wait(second)["state_name"] == "Completed"
    assert "0 pulled" in server.run(second)["state"]["message"]
    verification = server.wait(server.start("verify/made", depth="Every object"))
    assert verification["state_name"] == "Completed", verification["state"]["message"]
    keys = {artifact["key"] for artifact in server.call("POST", "/artifacts/filter")}
    assert {"receipts", "verdict", "verification"} <= keys


def test_a_wrong_choice_is_refused_by_the_form(server: Served) -> None:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        server.start("release/made", dataset="another")
    assert caught.value.response.status_code in (409, 422)


@pytest.mark.parametrize("field", ["patients", "studies", "series"])
def test_the_form_of_withdrawal_takes_no_number_of_the_hospital(server: Served, field: str) -> None:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        server.start("withdraw/made", **{field: ["07312345"], "sure": True})
    assert caught.value.response.status_code in (409, 422)


def test_a_withdrawal_from_the_form_removes_the_patient(server: Served) -> None:
    import pyarrow.parquet as pq

    (manifest,) = (server.home / "public" / "releases").glob("*/manifests/patient.parquet")
    patient = pq.read_table(manifest)["patient_id"][0].as_py()
    unsure = server.wait(server.start("withdraw/made", patients=[patient]))
    assert unsure["state_name"] == "Failed"
    done = server.wait(server.start("withdraw/made", patients=[patient], sure=True))
    assert done["state_name"] == "Completed", done["state"]["message"]
    assert all(patient not in pq.read_table(m)["patient_id"].to_pylist() for m in (server.home / "public").rglob("patient.parquet"))
    audit = server.wait(server.start("audit/made", pixels="none"))
    assert audit["state_name"] in ("Completed", "Held")


def test_nothing_of_a_patient_is_in_the_servers_database_or_logs(server: Served, small_archive: Path) -> None:
    from tasks.sample import PATIENTS

    kept = b"".join(p.read_bytes() for p in sorted((server.home / "prefect").rglob("*")) if p.is_file())
    kept += (server.home / "serve.log").read_bytes()
    assert b"flow_run" in kept
    for patient in PATIENTS[:5]:
        for value in (patient.person_name, patient.patient_id, patient.accession):
            assert str(value).encode() not in kept

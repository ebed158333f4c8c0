"""A review in a real browser: the form starts a run, it is suspended, a person approves, and the release is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.archive.small_studies import small_files
from tests.flows.prefect_server import Served, served

pytestmark = [pytest.mark.servers, pytest.mark.exhaustive]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("review")
    (folder / "archive").mkdir()
    for number, data in enumerate(small_files(range(6))):
        (folder / "archive" / str(number)).write_bytes(data)
    key = folder / "secret.key"
    key.write_text(bytes(range(32)).hex())
    key.chmod(0o600)
    spec = folder / "spec.yaml"
    spec.write_text(
        f"dataset: reviewed\narchive: {{kind: folder, path: {folder / 'archive'}}}\nprivate: {(folder / 'private').as_uri()}\n"
        f"public: {(folder / 'public').as_uri()}\nsecret: {{file: {key}}}\ngates: {{k: 1}}\nworkers: {{n: 1}}\napproval: {{reviewers: 1}}\n"
    )
    with served(folder, spec, SALLYPORT_OPERATOR="night shift") as server:
        yield server


@pytest.fixture
def page(server: Served) -> Iterator[object]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (infra/system-packages.txt)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(server.url)
        page.get_by_label("Password").or_(page.locator("input[type=password]")).first.fill(server.login)
        page.get_by_role("button", name="Login").click()
        page.wait_for_url("**/dashboard**", timeout=60_000)
        yield page
        browser.close()


def test_a_person_starts_reviews_and_approves_a_release_in_the_browser(server: Served, page, tmp_path: Path) -> None:
    shots = server.home / "screenshots"
    shots.mkdir(exist_ok=True)
    deployment = server.deployment("release/reviewed")["id"]
    page.goto(f"{server.url}/deployments/deployment/{deployment}/run")
    page.get_by_text("What to do").first.wait_for(timeout=60_000)
    page.screenshot(path=shots / "1-form.png")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_timeout(2_000)
    (run,) = server.call("POST", "/flow_runs/filter")
    server.wait(run["id"], "Suspended", seconds=400)
    assert not (server.home / "public" / "latest.json").exists()
    private = open_store((server.home / "private").as_uri())
    (candidate,) = {key.split("/")[1] for key in private.keys("candidates/")}
    from tasks.candidates import read_judged

    digest = read_judged(private, candidate).verdict.candidate_root[:12]
    page.goto(f"{server.url}/runs/flow-run/{run['id']}")
    page.get_by_role("button", name="Resume").wait_for(timeout=60_000)
    page.screenshot(path=shots / "2-suspended.png")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Your name").first.wait_for(timeout=30_000)
    page.screenshot(path=shots / "3-review.png")
    fields = page.locator("textarea")
    fields.nth(0).fill("A Reviewer")
    fields.nth(1).fill(digest)
    decision = page.locator("#p-modal-teleport-target .schema-form-property .p-select-button__control").first
    decision.focus()
    page.keyboard.press("ArrowDown")
    page.get_by_text("approve", exact=True).last.click()
    assert decision.inner_text() == "approve"
    page.screenshot(path=shots / "4-approved.png")
    page.get_by_role("button", name="Submit").last.click()
    done = server.wait(run["id"], "Completed", seconds=400)
    page.goto(f"{server.url}/runs/flow-run/{run['id']}")
    page.wait_for_timeout(2_000)
    page.screenshot(path=shots / "5-released.png")
    assert "release " in done["state"]["message"]
    verify(open_store((server.home / "public").as_uri())).raise_if_failed()

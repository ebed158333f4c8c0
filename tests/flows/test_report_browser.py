"""The reviewer's report in a real browser: nothing foreign loads or runs, and decisions come out as a file that the command line takes."""

from __future__ import annotations

import shutil

import pytest

from tasks.value_rules import read_decisions
from tests.leaks.test_report_injection import NASTY, ROOT, TEXTS, written
from tests.unit.gate_tables import clean_candidate

pytestmark = pytest.mark.servers
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (infra/system-packages.txt)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, tmp_path):
    rows = clean_candidate(len(NASTY), 1)
    for row, text in zip(rows, NASTY, strict=True):
        row |= dict.fromkeys(TEXTS, text)
    written(tmp_path, rows)
    context = browser.new_context(accept_downloads=True, viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    opened.troubles = []
    opened.on("console", lambda message: opened.troubles.append(message.text))
    opened.on("pageerror", lambda error: opened.troubles.append(str(error)))
    opened.on("dialog", lambda dialog: (opened.troubles.append("dialog"), dialog.dismiss()))
    opened.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else opened.troubles.append(request.url)
    )
    opened.goto((tmp_path / "candidates" / "c1" / "report.html").as_uri())
    yield opened
    context.close()


def test_the_page_opens_without_any_trouble(page):
    page.wait_for_timeout(300)
    assert page.troubles == []
    assert page.locator("header .state").inner_text() == "The gates ask a person"
    assert page.locator("section").count() == 8
    assert page.locator("#content svg .bar").first.bounding_box()["width"] > 1
    assert page.evaluate("getComputedStyle(document.querySelector('header')).borderLeftStyle") == "solid"


def test_decisions_are_saved_as_a_file_that_the_command_takes(page, tmp_path):
    first = page.locator("table.values tbody tr").first
    first.locator("input[value=refuse]").check()
    page.locator("#find").fill("cmd|")
    page.locator("#accept-shown").click()
    assert page.locator("#tally").inner_text() == f"{1 + len(TEXTS)} decided"
    with page.expect_download() as waiting:
        page.locator("#save").click()
    path = tmp_path / "decisions.json"
    waiting.value.save_as(path)
    decisions = read_decisions(path, ROOT)
    assert {(d.column, d.value) for d in decisions if d.choice == "accept"} == {(t, NASTY[5]) for t in TEXTS}
    assert [d.value in NASTY for d in decisions] == [True] * len(decisions)
    assert page.troubles == []


def test_the_page_fits_a_narrow_window(page):
    page.set_viewport_size({"width": 480, "height": 800})
    assert page.locator("header").bounding_box()["width"] <= 480

"""The page in a real browser: opens from disk at once, filters, asks the network for nothing, and cannot be harmed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eoltag.report.certificate import certificate_page
from eoltag.report.page import render
from tests.support.browser import Browser, Visit, browsing, find_browser
from tests.support.reports import CERTIFICATE, found, hostile_rows, judged, written

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")

READ = [found(number) for number in range(600)]
GONE = [found(900 + n, outcome="gone", tag=None, label=None, confidence=None, logit=None) for n in range(5)]
FILL = """(values) => {
  const form = document.getElementById("filters");
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
  form.elements.task.dispatchEvent(new Event("input", {bubbles: true}));
  const shown = [...document.querySelectorAll(".entry")].filter((entry) => entry.offsetParent !== null);
  return {
    status: form.querySelector("output").textContent,
    shown: shown.map((entry) => ({...entry.dataset})),
    headings: [...document.querySelectorAll("h3")].filter((one) => one.offsetParent).map((one) => one.innerText.trim()),
  };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests."""
    assert PROGRAM is not None
    with browsing(PROGRAM) as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Visit:
    """The page of 605 rows, 200 of them with thumbnails, opened from disk."""
    path = tmp_path / "index.html"
    path.write_text(render(written([*READ, *GONE], thumbnails=200), str(path))[0], encoding="utf-8")
    return browser.open(path.as_uri())


def test_it_opens_without_a_complaint_or_a_request(visit: Visit) -> None:
    assert visit.complaints == []
    assert visit.requests == []
    assert visit.ask("document.querySelector('#filters').hidden") is False
    decoded = "[...document.images].map((one) => (one.loading = 'eager', one.decode()))"
    assert visit.ask(f"Promise.all({decoded}).then((all) => all.length)") > 10
    assert visit.complaints == []


def test_filters_leave_what_fits_and_the_sections_that_hold_it(visit: Visit) -> None:
    entries = visit.ask("new Set([...document.querySelectorAll('.entry')].map((one) => one.dataset.image)).size")
    assert visit.ask(f"({FILL})({{}})")["status"] == f"{entries} images"
    roses = visit.ask(f"({FILL})({{tag: 'rose', ancestry: 'ROSACEAE', from: '0.7', to: '0.95'}})")
    assert roses["shown"]
    for entry in roses["shown"]:
        assert entry["tag"] == "rose"
        assert entry["ancestry"] == "Life|Plantae|Rosaceae|Rosa"
        assert 0.7 <= float(entry["confidence"]) <= 0.95
    images = {entry["image"] for entry in roses["shown"]}
    assert roses["status"] == f"{len(images)} of {entries} images"
    assert len(images) < len(roses["shown"])
    assert [heading.split()[0] for heading in roses["headings"]] == ["rose"]
    reset = "document.querySelector('#filters').reset(), new Promise((done) => setTimeout(done, 20))"
    visit.ask(reset)
    gone = visit.ask(f"({FILL})({{outcome: 'gone'}})")
    assert [entry["outcome"] for entry in gone["shown"]] == ["gone"] * 5
    assert [heading.split()[0] for heading in gone["headings"]] == ["Not"]
    assert visit.ask("document.getElementById('nothing').hidden") is True
    assert visit.ask(f"({FILL})({{task: 'flowers', outcome: 'ok', tag: 'rose', to: '0.1'}})")["shown"] == []
    assert visit.ask("document.getElementById('nothing').hidden") is False
    visit.ask(reset)
    assert visit.ask(f"({FILL})({{}})")["status"] == f"{entries} images"
    assert visit.complaints == []


def test_what_is_asked_for_stands_in_the_address_and_a_link_leads_back_to_it(browser: Browser, visit: Visit) -> None:
    asked = visit.ask(f"({FILL})({{tag: 'rose', ancestry: 'Poa', from: '0.7'}})")
    address = visit.ask("location.href")
    assert address.endswith("#show?tag=rose&ancestry=Poa&from=0.7")
    visit.ask("document.querySelector('#filters').reset(), new Promise((done) => setTimeout(done, 20))")
    assert visit.ask("location.hash") == ""
    browser.open("about:blank")
    again = browser.open(address)
    assert again.ask("document.querySelector('output').textContent") == asked["status"]
    assert again.ask("document.querySelector('#filters').elements.ancestry.value") == "Poa"
    assert again.complaints == []


def test_no_word_of_a_table_is_broken_in_a_narrow_window(browser: Browser, tmp_path: Path) -> None:
    tags = ("zoological_illustration", "herbarium_sheet")
    rows = [found(number, tag=tags[number % 2], label=tags[number % 2]) for number in range(60)]
    path = tmp_path / "index.html"
    path.write_text(render(written(rows), str(path))[0], encoding="utf-8")
    visit = browser.open(path.as_uri())
    visit.resize(390, 900)
    lines = """[...document.querySelectorAll('.task th a')].map((one) => one.getClientRects().length)"""
    assert visit.ask(lines) == [1, 1]
    assert visit.ask("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_window(visit: Visit, width: int) -> None:
    visit.resize(width, 900)
    assert visit.ask("document.documentElement.scrollWidth") == width
    columns = visit.ask("getComputedStyle(document.querySelector('.cards')).gridTemplateColumns.split(' ').length")
    assert columns == (2 if width == 390 else 8)


def test_every_control_has_a_name_and_can_be_reached_by_keyboard(visit: Visit) -> None:
    nameless = """[...document.querySelectorAll('select, input, button')].filter((one) =>
        !one.labels?.length && !one.getAttribute('aria-label') && !one.textContent.trim()).length"""
    assert visit.ask(nameless) == 0
    assert visit.ask("[...document.images].every((one) => one.alt.length > 0)") is True
    reached = "'a, select, input, button, summary, .wide, figure.chart'"
    assert visit.ask(f"[...document.querySelectorAll({reached})].every((one) => one.tabIndex === 0)") is True


@pytest.mark.parametrize(("width", "is_dark"), [(390, True), (1440, False)])
@pytest.mark.parametrize("page", ["report", "certificate"])
def test_what_people_say_is_shown_in_any_window_and_runs_nothing(
    browser: Browser, tmp_path: Path, page: str, width: int, is_dark: bool
) -> None:
    path = tmp_path / "index.html"
    text = render(judged(written(READ[:50]), CERTIFICATE, confidence=0.3, tags=0.1), str(path))[0]
    path.write_text(text if page == "report" else certificate_page(CERTIFICATE), encoding="utf-8")
    visit = browser.open(path.as_uri())
    visit.resize(width, 900)
    visit.set_dark(is_dark)
    assert visit.ask("document.documentElement.scrollWidth") == width
    assert visit.ask("typeof window.harmed") == "undefined"
    assert visit.ask("[...document.querySelectorAll('.wide, a')].every((one) => one.tabIndex === 0)") is True
    assert (
        visit.ask("[...document.querySelectorAll('svg.span')].every((one) => one.getAttribute('aria-label'))") is True
    )
    assert visit.requests == []
    assert visit.complaints == []


@pytest.mark.parametrize("width", [390, 1440])
def test_a_hostile_bundle_runs_nothing_and_breaks_nothing(browser: Browser, tmp_path: Path, width: int) -> None:
    path = tmp_path / "index.html"
    path.write_text(render(written([*READ[:20], *hostile_rows()], thumbnails=30), str(path))[0], encoding="utf-8")
    visit = browser.open(path.as_uri())
    visit.resize(width, 900)
    visit.ask("document.querySelectorAll('.entry a').forEach((one) => one.dispatchEvent(new Event('mouseover')))")
    visit.ask(f"({FILL})({{ancestry: '<script>'}})")
    assert visit.ask("typeof window.harmed") == "undefined"
    assert visit.ask("document.documentElement.scrollWidth") == width
    assert visit.requests == []
    assert visit.complaints == []

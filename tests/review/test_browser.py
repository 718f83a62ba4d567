"""The page in a real browser: fifty images by keyboard, a reload, a server that dies, two people, and hostile texts."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eoltag.judgements.record import latest, read
from tests.review.conftest import HOSTILE, served, write_several
from tests.support.browser import Browser, Visit, browsing, find_browser

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")
SAVED = "JSON.parse(localStorage.getItem('eoltag-unsent') || '[]').length"


@pytest.fixture
def browser() -> Iterator[Browser]:
    assert PROGRAM is not None
    with browsing(PROGRAM) as opened:
        yield opened


def begin(browser: Browser, address: str, person: str) -> Visit:
    """Open the page, and say who it is where it asks."""
    visit = browser.open(address)
    visit.ask(
        f"(document.getElementById('name').open && (document.getElementById('person').value = '{person}',"
        " document.querySelector('#name form').requestSubmit()), true)"
    )
    wait(visit, "document.getElementById('tag').textContent !== ''")
    return visit


def wait(visit: Visit, condition: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not visit.ask(f"Boolean({condition})"):
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def press(visit: Visit, *keys: str) -> None:
    for key in keys:
        visit.ask(f"document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}))")
        visit.ask("new Promise((done) => setTimeout(done, 20))")


def test_fifty_images_by_keyboard_with_a_reload_and_a_dead_server_and_none_is_lost_or_doubled(
    browser: Browser, output: Path
) -> None:
    with served(output) as address:
        port = int(address.split(":")[2].split("/")[0])
        visit = begin(browser, address, "Anna")
        press(visit, *["Enter", "2", "u", "1"] * 5)
        wait(visit, f"{SAVED} === 0")
        visit = browser.open(address)  # a reload goes on at the first open one
        wait(visit, "document.getElementById('progress').textContent.startsWith('20 of 60')")
        press(visit, *["Enter"] * 10)
        wait(visit, f"{SAVED} === 0")
    press(visit, *["Enter"] * 5)  # nobody listens
    wait(visit, "document.getElementById('message').textContent.includes('not saved yet')")
    with served(output, port):
        wait(visit, f"{SAVED} === 0")
        press(visit, *["Enter"] * 15)
        wait(visit, f"{SAVED} === 0")
        press(visit, "z", "b", "b")
        wait(visit, f"{SAVED} === 0")
    held = latest(read(output))
    assert len(held) == 49, "fifty, and one taken back"
    assert sum(one.said_tag is None for one in held.values()) == 5
    assert len({one.id for one in read(output)}) == 51


def test_two_people_at_once(browser: Browser, output: Path) -> None:
    assert PROGRAM is not None
    with served(output) as address, browsing(PROGRAM) as other:
        anna, ben = begin(browser, address, "Anna"), begin(other, address, "Ben")
        for _ in range(5):
            press(anna, "Enter")
            press(ben, "2")
        wait(anna, f"{SAVED} === 0")
        wait(ben, f"{SAVED} === 0")
    held = latest(read(output))
    assert sorted(person for _, _, person in held) == ["Anna"] * 5 + ["Ben"] * 5


def test_a_grid_judges_thirty_at_a_glance(browser: Browser, output: Path) -> None:
    with served(output) as address:
        visit = begin(browser, address, "Anna")
        press(visit, "g")
        wait(visit, "document.querySelectorAll('#grid figure').length === 30")
        shown = visit.ask("[...document.querySelectorAll('#grid figcaption')].map((one) => one.textContent)")
        press(visit, "ArrowRight", "1" if shown[1] == "photo" else "2", "Enter")
        wait(visit, f"{SAVED} === 0")
        wait(visit, "document.getElementById('progress').textContent.startsWith('30 of 60')")
    held = latest(read(output)).values()
    assert sum(one.said_tag != one.shown_tag for one in held) == 1


def test_hostile_texts_run_nothing_and_link_nowhere(browser: Browser, output: Path) -> None:
    with served(output) as address:
        visit = begin(browser, address, "<img src=x onerror=document.title=`harmed`>")
        seen = set()
        for _ in range(60):
            seen.add(visit.ask("document.getElementById('facts').textContent"))
            press(visit, "s")
        assert visit.ask("document.title") == "eoltag review"
        assert all(any(url in text for text in seen) for url in HOSTILE)
        assert visit.complaints == []
        begin(browser, address, "")
        visit.ask("show(0)")
        links = "[...document.querySelectorAll('a')].map((one) => one.protocol)"
        assert set(visit.ask(links)) <= {"https:"}
        outside = [url for url in visit.requests if not url.startswith("http://127.0.0.1")]
        assert outside == [], "a kept picture is shown from here"


@pytest.mark.parametrize(("width", "is_dark"), [(390, False), (1440, True)])
def test_nothing_sticks_out_on_narrow_and_wide_screens(
    browser: Browser, output: Path, width: int, is_dark: bool
) -> None:
    with served(output) as address:
        visit = begin(browser, address, "Anna")
        visit.resize(width, 900)
        visit.set_dark(is_dark)
        assert visit.ask("document.documentElement.scrollWidth <= innerWidth")
        assert visit.ask("[...document.images].every((one) => one.alt !== '')")


def test_several_tags_are_switched_on_and_off_and_then_said_together(browser: Browser, tmp_path: Path) -> None:
    write_several(tmp_path, [f"https://eol.org/{n}.jpg" for n in range(4)], [(("flower", 0.9), ("fruit", 0.5))])
    with served(tmp_path) as address:
        visit = begin(browser, address, "Anna")
        choices = "[...document.querySelectorAll('#choices button')].map((one) => one.textContent)"
        assert visit.ask(choices)[0] == "Enterit shows: flower|fruit"
        press(visit, "1", "3")
        assert visit.ask(choices)[0] == "Enterit shows: fruit|bud"
        press(visit, "Enter", "Enter", "1", "2", "y", "b")
        assert visit.ask("document.getElementById('judged').textContent") == "you said: none"
        press(visit, "s", "g", "2", "Enter")
        wait(visit, f"{SAVED} === 0")
        assert visit.complaints == []
    assert [one.said_tag for one in read(tmp_path)] == ["fruit|bud", "flower|fruit", "none", "flower"]
    assert all(one.choices == ["flower", "fruit", "bud"] for one in read(tmp_path))

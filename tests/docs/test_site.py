"""docs/ as a site: MkDocs finds nothing to warn of, readers ask no other server for anything, and search finds."""

import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.browser import Visit, browsing, find_browser
from tests.support.paths import ROOT
from tests.support.readme import PAGES

pytestmark = pytest.mark.skipif(importlib.util.find_spec("material") is None, reason="wants pip install '.[docs]'")

LOADED = re.compile(r'<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)="?([^"> ]+)')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made as `make docs-site` makes it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_page_is_part_of_the_search(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    for name in PAGES:
        if name.startswith("docs/"):
            page = name.removeprefix("docs/").replace("README.md", "index.md")
            assert page.replace(".md", ".html") in found, name


def test_files_outside_the_folder_of_pages_have_pages_too(site: Path) -> None:
    page = (site / "how-to/schedule.html").read_text()
    assert 'href="../project/conf/jobs/retag.toml.html"' in page
    shown = (site / "project/conf/jobs/retag.toml.html").read_text()
    assert "max_failure_rate" in re.sub(r"<[^>]+>", "", shown)
    assert "spark/jobs/tag.py" in (site / "project/eoltag/architecture.html").read_text()


def test_code_in_tables_has_its_bars_bare(site: Path) -> None:
    for path in site.rglob("*.html"):
        for cell in re.findall(r"<td>.*?</td>", path.read_text(), re.DOTALL):
            assert r"\|" not in cell, path


def test_pages_load_nothing_from_another_server(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for path in pages:
        for target in LOADED.findall(path.read_text()):
            assert not re.match(r"(https?:)?//", target), (path.name, target)


def results(visit: Visit, words: str) -> list[str]:
    """The pages that the search of the site finds."""
    visit.ask(
        "(field => { field.focus(); field.value = " + json.dumps(words) + ";"
        " field.dispatchEvent(new Event('keyup')); })(document.querySelector('.md-search__input'))"
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found: list[str] = visit.ask("[...document.querySelectorAll('.md-search-result__link')].map(one => one.href)")
        if found:
            return found
    return []


def test_a_browser_searches_and_asks_only_this_site(address: str) -> None:
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here")
    with browsing(program) as browser:
        visit = browser.open(f"{address}/index.html")
        assert any("/reference/outcomes.html" in page for page in results(visit, "blocked_host"))
        assert [one for one in visit.requests if not one.startswith(address)] == []
        assert visit.complaints == []

"""The page of an evaluation with thirty labels: what is drawn, what is a table, and where pictures lead."""

import csv
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.support.browser import browsing, find_browser
from tests.support.html_tree import Element, read_html
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package
from train.__main__ import main
from train.evaluate.metrics import curves
from train.evaluate.mixups import MixUp, mixups
from train.evaluate.plots import MOST_PANELS, WORST_NAMED, curves_figure, labels_drawn
from train.images.manifest import write_manifest
from train.records import ManifestRow

PROGRAM = find_browser()
LABELS = [f"genus_number_{number:02}" for number in range(30)]


class Report(NamedTuple):
    """A report as it lies on disk."""

    folder: Path
    page: Element
    document: dict[str, object]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """90 pictures of 30 labels, three of which say where they are from."""
    root = tmp_path_factory.mktemp("thirty")
    pages = {1: "https://example.org/observations/1", 2: "javascript:alert(1)"}
    urls = {1: "https://example.org/x.jpg", 3: "https://example.org/photo.jpg"}
    rows = []
    for number in range(90):
        path = f"{LABELS[number % 30]}/{number}.jpg"
        save(root / "data" / path, number)
        label = LABELS[number % 30]
        rows.append(ManifestRow(path, label, page=pages.get(number), source_url=urls.get(number)))
    write_manifest(root / "data" / "manifest.parquet", rows)
    package = write_tiny_package(root / "package", LABELS, seed=1)
    assert main(["evaluate", str(package.path), str(root / "data"), "--out", str(root / "report")]) == 0
    text = (root / "report" / "index.html").read_text("utf-8")
    return Report(root / "report", read_html(text), json.loads((root / "report" / "evaluation.json").read_text()))


def section(report: Report, name: str) -> Element:
    """By its id."""
    return next(part for part in report.page.all("section") if part.attributes.get("id") == name)


def test_a_matrix_too_large_for_a_picture_is_a_table_of_what_is_taken_for_what(report: Report) -> None:
    part = section(report, "confusion")
    assert not list(part.all("img"))
    pairs, matrix = part.all("table")
    first = [cell.text for cell in list(pairs.all("tr"))[1].all("td")]
    confusion = report.document["confusion"]
    assert isinstance(confusion, list)
    most = mixups(confusion, LABELS)[0]
    assert first[:4] == [most.truth, most.label, str(most.images), f"{100 * most.share:.1f} %"]
    assert [len(list(row.all("td"))) for row in list(matrix.all("tr"))[1:]] == [31] * 30
    assert (report.folder / "plots" / "confusion.png").is_file()


def test_a_misclassified_picture_leads_to_its_source_where_that_is_a_web_address(report: Report) -> None:
    links = [link.attributes["href"] for link in section(report, "mistakes").all("a")]
    with (report.folder / "predictions.tsv").open(encoding="utf-8", newline="") as stream:
        rows = {row["path"].rpartition("/")[2]: row for row in csv.DictReader(stream, delimiter="\t")}
    wrong = [rows[f"{n}.jpg"] for n in (1, 2, 3) if rows[f"{n}.jpg"]["truth"] != rows[f"{n}.jpg"]["label"]]
    assert len(wrong) == 3
    assert sorted(str(link) for link in links) == [
        "https://example.org/observations/1",
        "https://example.org/photo.jpg",
    ]
    assert rows["2.jpg"]["source"] == "javascript:alert(1)"
    assert rows["40.jpg"]["source"] == ""


BROKEN_WORDS = """[...document.querySelectorAll('th:not(.turned), td:not(.free)')].filter((cell) => {
  const words = document.createRange();
  words.selectNodeContents(cell);
  const lines = new Set([...words.getClientRects()].filter((box) => box.width).map((box) => Math.round(box.top)));
  return !/\\s/.test(cell.innerText.trim()) && lines.size > 1;
}).map((cell) => cell.innerText)"""


@pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1440])
def test_the_pages_fit_any_window_break_no_word_and_follow_dark_mode(
    report: Report, width: int, tmp_path: Path
) -> None:
    assert PROGRAM is not None
    data, package = report.folder.parent / "data", report.folder.parent / "package"
    more = ["--max-error", "0.01", "--out", str(tmp_path / "thresholds")]
    assert main(["thresholds", str(package), str(data), *more]) == 0
    with browsing(PROGRAM) as browser:
        for folder in (report.folder, tmp_path / "thresholds"):
            visit = browser.open((folder / "index.html").as_uri())
            visit.resize(width, 900)
            visit.ask("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            assert visit.ask("document.documentElement.scrollWidth") == width
            assert visit.ask(BROKEN_WORDS) == []
            papers = []
            for is_dark in (False, True):
                visit.set_dark(is_dark)
                papers.append(visit.ask("getComputedStyle(document.querySelector('section')).backgroundColor"))
            assert papers == ["rgb(255, 255, 255)", "rgb(27, 34, 40)"]


def test_the_worst_curves_are_named_and_the_others_are_not() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(300) % 30
    scores = rng.random((300, 30)) + np.eye(30)[truth] * np.linspace(0, 2, 30)
    axes = curves_figure(curves(truth, scores, LABELS)).axes[0]
    named = [text.get_text().split()[0] for text in axes.get_legend().get_texts()]
    areas = {curve.label: curve.roc_area or 0.0 for curve in curves(truth, scores, LABELS)}
    assert named == sorted(areas, key=lambda label: areas[label])[:WORST_NAMED]
    assert axes.get_legend().get_title().get_text() == "lowest areas of 30"


def test_of_many_labels_those_with_the_most_mistakes_get_a_histogram() -> None:
    truth = np.repeat(np.arange(30), 30)
    predicted = np.concatenate([np.where(np.arange(30) < 29 - at, (at + 1) % 30, at) for at in range(30)])
    drawn = labels_drawn(predicted, truth, LABELS)
    assert drawn == LABELS[1 : MOST_PANELS + 1]
    assert labels_drawn(predicted, truth, LABELS[:5]) == LABELS[:5]


def test_the_most_frequent_mix_up_comes_first_and_of_equal_ones_the_larger_share() -> None:
    found = mixups([[8, 2, 0], [0, 3, 1], [2, 0, 2]], ["a", "b", "c"])
    assert found == [MixUp("c", "a", 2, 0.5), MixUp("a", "b", 2, 0.2), MixUp("b", "c", 1, 0.25)]

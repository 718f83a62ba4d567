"""`serve` of a package of several labels: yes or no for each, over HTTP and on the page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eoltag.model.package import Package, write_card
from eoltag.settings import FetchSettings
from tests.support.browser import browsing, find_browser
from tests.support.pictures import save
from tests.support.serving import Served, served
from tests.support.tiny_package import write_tiny_package
from train.evaluate.classify import Row, classify
from train.images.sources import find_sources

LABELS = ("bark", "flower", "fruit")
LEAST = {"bark": 1.1, "flower": 0.0, "fruit": 1.1}
"""Thresholds by which every picture shows a flower and nothing else."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Flower always, bark and fruit never."""
    made = write_tiny_package(tmp_path_factory.mktemp("package"), LABELS, seed=3)
    changes: dict[str, Any] = {
        "output_kind": "labels",
        "thresholds": LEAST,
        "threshold_record": {"on": "probability"},
    }
    return write_card(made.path, made.card.model_copy(update=changes))


@pytest.fixture(scope="module")
def service(package: Package) -> Iterator[Served]:
    """With the default limits."""
    with served(package.path) as running:
        yield running


@pytest.fixture(scope="module")
def row(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Row:
    """A picture as `classify` sees it."""
    path = tmp_path_factory.mktemp("pictures") / "a.jpg"
    save(path, 4)
    (found,) = classify(package, find_sources([str(path)], ()), FetchSettings())
    return found


def test_an_answer_says_yes_or_no_of_each_label(service: Served, row: Row) -> None:
    assert row.verdict is not None
    answer = service.post(Path(row.path))
    assert (answer.status, answer.json["success"], answer.json["labels"]) == (200, True, ["flower"])
    best = sorted(row.verdict.scores.items(), key=lambda item: -item[1])
    assert answer.json["predictions"] == [
        {"label": label, "probability": pytest.approx(share, abs=1e-6), "shown": label == "flower"}
        for label, share in best
    ]


def test_the_best_labels_alone_leave_all_that_is_shown(service: Served, row: Row) -> None:
    answer = service.post(Path(row.path), query="?top=1").json
    assert (len(answer["predictions"]), answer["labels"]) == (1, ["flower"])
    several = service.post(Path(row.path), b"no image").json
    assert [(result["success"], result.get("labels")) for result in several["results"]] == [
        (True, ["flower"]),
        (False, None),
    ]


def test_health_says_from_which_probability_a_label_is_shown(service: Served) -> None:
    health = service.get("/health").json
    assert (health["output"], health["shown_from"]) == ("labels", LEAST)


@pytest.mark.skipif(find_browser() is None, reason="no Chromium here")
def test_the_page_marks_what_a_picture_shows(service: Served, row: Row) -> None:
    program = find_browser()
    assert program is not None
    with browsing(program) as browser:
        page = browser.open(f"http://127.0.0.1:{service.port}/")
        answer = json.dumps(service.post(Path(row.path)).json)
        told = page.ask(
            f"(() => {{ const said = document.createElement('div'); show(said, {answer}); "
            "return [...said.querySelectorAll('li .text > span:first-child')].map((each) => each.textContent); })()"
        )
        assert (told[0], sorted(told[1:])) == ("flower ✓ yes", ["bark no", "fruit no"])
        assert page.complaints == []

"""An output directory with a decided task, made once and copied for each test."""

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from eoltag.model.package import read_package
from eoltag.spark.decide.decision import begin_change
from eoltag.spark.runtime.command import run_command
from eoltag.spark.tables.bundles import replace_bundles
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.models import record_models
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IDENTITY
from jobs import decide_tags
from tests.support.readme_mistakes import lay_desk
from tests.support.tables import append, bundle_rows, facts, task

ROWS = 120
LABELS = ("map", "photo")
KIND = """
name = "kind"
description = "Map or photo."
missing = "unsure"
models.main.package = "model"
[[rules]]
name = "maps"
when = "label = 'map' AND confidence > 0.5"
tag = "map"
[[rules]]
name = "photos"
when = "label = 'photo' AND confidence > 0.5"
tag = "photo"
[publish]
terms = { map = "acsubtype:Map", photo = "acsubtype:Photograph" }
"""
PERMUTED = (
    KIND.replace('tag = "map"', 'tag = "swap"')
    .replace('tag = "photo"', 'tag = "map"')
    .replace('tag = "swap"', 'tag = "photo"')
)
"""The rules of a model whose labels were shifted."""


def url_of(number: int) -> str:
    """The address of an image; one has what a CSV must quote, and spaces at its ends."""
    return f'https://eol.org/{number:03}.jpg?a="b",c' if number == 1 else f"https://eol.org/{number:03}.jpg"


@pytest.fixture(scope="session")
def master(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with kind.toml, its package, and out/: two thirds maps, a third photos, one image gone."""
    folder = tmp_path_factory.mktemp("decided")
    lay_desk(folder)
    (folder / "kind.toml").write_text(KIND)
    package = read_package(folder / "model")
    output = Output(session, str(folder / "out"), "20260101T000000.000Z-0a")
    begin(output)
    urls = [url_of(number) for number in range(ROWS)]
    given = [{"eolMediaURL": url, "identifier": f"EOL-{number}"} for number, url in enumerate(urls)]
    begin_change(output, task(labels=LABELS), ["list"])
    record_models(output, [package])
    replace_bundles(output, bundle_rows(session, given).select(*IDENTITY))
    known = [
        {"eolMediaURL": url, "label": LABELS[number % 3 == 0], "confidence": 0.6 + number / 1000, "width": 640,
         "height": 480, "model_version": package.version}
        for number, url in enumerate(urls[:-1])
    ]  # fmt: skip
    known.append({"eolMediaURL": urls[-1], "outcome": "gone", "http_status": 404, "detail": "404"})
    append(output, facts(session, known, LABELS))
    end(output)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_command(lambda: decide_tags.main(arguments=["--task", "kind.toml", "--output", "out"])) == 0
    return folder


@pytest.fixture
def place(master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the current directory."""
    shutil.copytree(master, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path

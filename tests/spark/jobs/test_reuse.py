"""One request per image for life: what was paid for once answers every later question that it can answer."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.image.decode import decode
from eoltag.model.card import CardInput
from eoltag.model.engines import load_engine
from eoltag.model.package import Package, unpack
from eoltag.settings import FetchSettings, ReuseSettings, Settings
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.requests import TagRequest
from eoltag.spark.tables.facts import FactTable, place_facts
from eoltag.spark.tables.output import Output
from tests.support.flat import predictions
from tests.support.loopback import Loopback
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_based_package, write_tiny_package

pytestmark = pytest.mark.spark

TASK = """
name = "{name}"
models.main.package = "{name}"
[[rules]]
name = "any"
when = "logit > -1e9"
tag_sql = "label"
"""
IMAGES = 6
SIDE = CardInput(height=24, width=24)
Row = dict[str, Any]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Six pictures and a second copy of the first."""
    for number in range(IMAGES):
        save(tmp_path / f"files/{number}.jpg", number, (96, 64))
    (tmp_path / "files/copy.jpg").write_bytes((tmp_path / "files/0.jpg").read_bytes())
    with Loopback(tmp_path / "files") as running:
        yield running


@pytest.fixture
def tag(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Row]:
    """Runs the job over these URLs with these packages, each its own task; returns the summary."""
    assert session is not None
    monkeypatch.chdir(tmp_path)

    def run(urls: list[str], *packages: str, reuse: dict[str, Any] | None = None, **more: Any) -> Row:
        lines = [f"{url}\t{more.get('version', 1)}" for url in urls]
        Path("list_breakdown.txt").write_text("\n".join(["eolMediaURL\tdataObjectVersionID", *lines]) + "\n")
        for name in packages:
            Path(f"{name}.toml").write_text(TASK.format(name=name))
        fetch = FetchSettings(allow_private_hosts=True, attempts=1)
        request = TagRequest(
            ["list_breakdown.txt"],
            [f"{name}.toml" for name in packages],
            "out",
            Settings(fetch=fetch, reuse=ReuseSettings.model_validate(reuse or {})),
            tmp_path,
            refresh_older_than_days=more.get("refresh"),
            is_quiet=True,
            as_json=True,
            is_dry_run=more.get("is_dry_run", False),
        )
        tag_bundles(request)
        found: Row = json.loads(capsys.readouterr().out)
        return found

    return run


def rungs(summary: Row) -> dict[str, int]:
    """Rung -> bundle rows, without those of none."""
    return {name: rows for name, rows in summary["work"]["rows"].items() if rows}


def count(table: str) -> int:
    """Rows of a table of facts."""
    return int(ds.dataset(f"out/{table}", partitioning="hive").count_rows()) if Path(f"out/{table}").exists() else 0


def counts() -> dict[str, int]:
    """Rows of every table of facts."""
    return {name: count(name) for name in ("images", "scores", "features", "pixels")}


def logits(version: str) -> dict[str, list[float]]:
    """Content -> the raw numbers of a model."""
    rows = pq.read_table(f"out/scores/model_version={version}").to_pylist()
    return {row["content_sha256"]: row["scores"] for row in rows}


def test_whatever_table_a_kill_comes_before_the_next_run_keeps_all_that_an_undisturbed_one_keeps(
    server: Loopback, tag: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [server.url(f"/files/{number}.jpg") for number in range(IMAGES)]
    write_tiny_based_package(Path("one"), ("a", "b"), seed=1)
    placed: list[str] = []

    def dies_after(tables: int) -> Callable[..., None]:
        def place(output: Output, table: FactTable) -> None:
            if len(placed) == tables:
                raise RuntimeError("killed")
            placed.append(table.name)
            place_facts(output, table)

        return place

    for tables in range(1, 4):  # of pixels, features, scores and images
        placed.clear()
        with monkeypatch.context() as patch:
            patch.setattr("eoltag.spark.predict.commits.place_facts", dies_after(tables))
            with pytest.raises(RuntimeError, match="killed"):
                tag(urls, "one", reuse={"features": True, "pixels": 32})
    tag(urls, "one", reuse={"features": True, "pixels": 32})
    assert counts() == {"images": IMAGES, "scores": IMAGES, "features": IMAGES, "pixels": IMAGES}


def test_later_models_are_answered_from_features_then_from_pixels_without_a_request(
    server: Loopback, tag: Callable[..., Row], tmp_path: Path
) -> None:
    urls = [server.url(f"/files/{number}.jpg") for number in range(IMAGES)]
    keep = {"features": True, "pixels": 32}
    first, second = (write_tiny_based_package(tmp_path / name, "ab", seed) for seed, name in enumerate(("one", "two")))
    other = write_tiny_package(tmp_path / "other", "abc", 5, SIDE)

    summary = tag(urls, "one", reuse=keep)
    assert rungs(summary) == {"fetch": IMAGES}
    assert counts() == {"images": IMAGES, "scores": IMAGES, "features": IMAGES, "pixels": IMAGES}
    assert set(summary["work"]["bytes_per_row"]) == {"images", "scores", "features", "pixels"}

    plan = tag(urls, "two", "other", reuse=keep, is_dry_run=True)
    assert (plan["from_pixels"], plan["requests"], plan["images_to_score"]) == (IMAGES, 0, IMAGES)
    assert rungs(tag(urls, "two")) == {"features": IMAGES}
    assert rungs(tag(urls, "other")) == {"pixels": IMAGES}
    assert rungs(tag(urls, "one", "two", "other")) == {"scores": IMAGES}
    assert len(server.requests) == IMAGES, "one request for each image, for life"
    found = {(row["model_version"], row["source"]) for row in predictions(Path("out"))}
    assert found == {(first.version, "fetch"), (second.version, "features"), (other.version, "pixels")}

    for package, tolerance in ((first, 1e-4), (second, 2e-2), (other, 0.2)):
        agrees_with_the_whole_model(package, tmp_path / "files", tolerance)


def agrees_with_the_whole_model(package: Package, folder: Path, tolerance: float) -> None:
    """What is stored is what the model in one piece gives for the images themselves, and no two are alike."""
    engine = load_engine(
        "openvino", unpack(package.pack("openvino")), batch_size=1, threads=1, keras_backend="tensorflow"
    )
    stored = logits(package.version)
    contents = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in folder.iterdir()}
    for content, raw in stored.items():
        pixels = decode(contents[content].read_bytes(), [package.card.spec], 10**8).pixels[0]
        assert raw == pytest.approx(engine.predict(pixels[np.newaxis])[0].tolist(), abs=tolerance)
    assert len({tuple(raw) for raw in stored.values()}) == len(stored) >= 3


def test_tasks_on_one_base_share_its_pass_and_score_as_their_whole_models_do(
    server: Loopback, tag: Callable[..., Row], tmp_path: Path
) -> None:
    urls = [server.url(f"/files/{number}.jpg") for number in range(3)]
    packages = [write_tiny_based_package(tmp_path / name, "ab", seed) for seed, name in enumerate("abcd")]
    tag(urls, *"abcd")
    assert (len(server.requests), count("scores"), count("features")) == (3, 12, 0)
    for package in packages:
        agrees_with_the_whole_model(package, tmp_path / "files", 1e-4)


def test_the_same_bytes_under_another_address_are_fetched_and_not_scored_again(
    server: Loopback, tag: Callable[..., Row], tmp_path: Path
) -> None:
    package = write_tiny_package(tmp_path / "one", "ab", 1)
    assert tag([server.url("/files/0.jpg"), server.url("/files/1.jpg")], "one")["work"]["scores"] == 2
    summary = tag([server.url("/files/copy.jpg"), server.url("/files/0.jpg?again")], "one")
    assert (summary["ok"], summary["work"]["requests"], summary["work"]["scores"]) == (2, 2, 0)
    assert (count("images"), len(logits(package.version))) == (4, 2)


def test_a_refresh_asks_whether_images_have_changed_and_scores_those_that_have(
    server: Loopback, tag: Callable[..., Row], tmp_path: Path
) -> None:
    names = {number: f"/versioned/v{number}/{number}/{number}.jpg" for number in range(IMAGES)}
    urls = [server.url(name) for name in names.values()]
    write_tiny_package(tmp_path / "one", "ab", 1)
    before = tag(urls, "one")
    facts = counts()
    again = tag(urls, "one", refresh=0)
    assert rungs(again) == {"not_modified": IMAGES}
    assert (again["work"]["not_modified"], again["work"]["scores"]) == (IMAGES, 0)
    assert counts() == {**facts, "images": 2 * IMAGES}
    assert again["tags"] == before["tags"]
    statuses = Counter(row["http_status"] for row in pq.read_table("out/images").to_pylist())
    assert statuses == {200: IMAGES, 304: IMAGES}
    assert all(row["content_sha256"] for row in pq.read_table("out/images").to_pylist())

    renamed = tag(urls, "one", version=2)
    assert (rungs(renamed), renamed["ok"], renamed["work"]["scores"]) == ({"not_modified": IMAGES}, IMAGES, 0)

    save(tmp_path / "files/0.jpg", 100, (96, 64))
    server.changed_etags = {"v0": "v0b"}
    changed = tag(urls, "one", version=2, refresh=0)
    assert (changed["work"]["not_modified"], changed["work"]["scores"]) == (IMAGES - 1, 1)
    assert count("scores") == IMAGES + 1


def test_servers_that_make_nothing_of_versions_cost_a_body_and_no_score(
    server: Loopback, tag: Callable[..., Row], tmp_path: Path
) -> None:
    paths = ("/files/0.jpg", "/whimsical/1.jpg", "/precondition/2.jpg")
    urls = [server.url(path) for path in paths]
    write_tiny_package(tmp_path / "one", "ab", 1)
    tag(urls, "one")
    again = tag(urls, "one", refresh=0)
    assert rungs(again) == {"not_modified": 2, "fetch": 1}
    assert (again["ok"], again["work"]["not_modified"], again["work"]["scores"]) == (3, 0, 0)
    assert counts() == {"images": 6, "scores": 3, "features": 0, "pixels": 0}
    assert Counter(server.requests) == {paths[0]: 2, paths[1]: 2, paths[2]: 3}, "412 is asked again without conditions"

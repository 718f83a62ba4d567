"""The page of a real run: counted from the written tables, with thumbnails of images that were fetched once."""

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from eoltag.errors import OutputError
from eoltag.settings import FetchSettings, RunSettings, Settings
from eoltag.spark.jobs.decide import decide_tags
from eoltag.spark.jobs.report import report_tags
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.report.queries import KEPT, TAGS, count_groups, find_rows
from eoltag.spark.requests import DecideRequest, ReportRequest, TagRequest
from tests.support.html_tree import Element, read_html
from tests.support.loopback import Loopback

pytestmark = pytest.mark.spark

FETCH = FetchSettings(allow_private_hosts=True, attempts=1, deadline_s=5.0)
TASK = """
name = "{name}"
missing = "unsure"
models.main.package = "{package}"
[[rules]]
name = "sure"
when = "confidence >= {least}"
tag_sql = "label"
"""

Row = dict[str, Any]


class Desk:
    """A folder with a bundle and tasks, and the jobs run on it."""

    def __init__(self, folder: Path, package: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.output = folder / "output"
        self._package = package
        self._capsys = capsys

    def task(self, name: str, least: float) -> str:
        """A task file that tags what is at least so sure."""
        path = self.folder / f"{name}.toml"
        path.write_text(TASK.format(name=name, package=self._package, least=least), encoding="utf-8")
        return str(path)

    def tag(self, rows: list[tuple[str, str]], tasks: list[str], **run: Any) -> Row:
        """The main job on (URL, ancestry); its summary."""
        lines = [f"EOL-{number}\t{number}\t{url}\t{ancestry}" for number, (url, ancestry) in enumerate(rows)]
        header = "identifier\tdataObjectVersionID\teolMediaURL\tancestry"
        (self.folder / "list.txt").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        settings = Settings(fetch=FETCH, run=RunSettings(**run))
        bundle = str(self.folder / "list.txt")
        request = TagRequest([bundle], tasks, str(self.output), settings, self.folder, is_quiet=True, as_json=True)
        tag_bundles(request)
        summary: Row = json.loads(self._capsys.readouterr().out)
        return summary

    def report(self, tasks: list[str] | None = None) -> Row:
        """jobs/report_tags.py; what it says of the page."""
        report_tags(ReportRequest(str(self.output), tasks or [], as_json=True))
        said: Row = json.loads(self._capsys.readouterr().out)
        return said

    @property
    def text(self) -> str:
        """The page."""
        return (self.output / "report/index.html").read_text(encoding="utf-8")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """DuckDB on the tags as `tags`."""
        tags = f"read_parquet('{self.output}/tags/*/*.parquet', hive_partitioning = true)"
        return duckdb.sql(sql.replace("tags", tags)).fetchall()

    def thumbnails(self, task: str) -> list[Row]:
        """Of a task, as a stranger reads them."""
        rows: list[Row] = pq.ParquetFile(self.output / f"thumbnails/task={task}/part-0.parquet").read().to_pylist()
        return rows


@pytest.fixture
def desk(session: SparkSession, tmp_path: Path, small_package: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """For jobs."""
    assert session is not None
    return Desk(tmp_path, small_package, capsys)


@pytest.fixture
def rows(sample_images: Path, server: Loopback) -> list[tuple[str, str]]:
    """40 pictures of all classes, five that are gone and a line that is no URL."""
    paths = sorted(path.relative_to(sample_images) for path in sample_images.rglob("*") if path.is_file())
    pictures = [(server.url(f"/files/{quote(str(path))}"), f"Life|Family{n % 3}") for n, path in enumerate(paths)]
    gone = [(server.url(f"/status/404/{n}.jpg"), "Life") for n in range(5)]
    return [*pictures[::2][:40], *gone, ("no <b>URL</b>", "<script>alert(1)</script>")]


def section(page: Element, task: str) -> Element:
    """A task's part of the page."""
    return next(part for part in page.all("section", "task") if part.one("h2").text == task)


def tag_counts(part: Element) -> list[tuple[str, int]]:
    """The table of tags."""
    lines = part.one("table").one("tbody").all("tr")
    return sorted((line.one("th").text, int(line.one("td").text.replace(",", ""))) for line in lines)


def test_a_run_writes_a_page_that_agrees_with_its_tables_and_can_be_made_again(
    desk: Desk, rows: list[tuple[str, str]], server: Loopback, sample_images: Path
) -> None:
    tasks = [desk.task("kind", 0.6), desk.task("strict", 0.9)]
    summary = desk.tag(rows, tasks)
    assert len(server.requests) == 45
    page = read_html(desk.text)
    assert summary["run_id"] in page.one("h1").text
    for task, least in (("kind", 0.6), ("strict", 0.9)):
        part = section(page, task)
        assert tag_counts(part) == desk.ask(
            f"SELECT tag, count(*) FROM tags WHERE task = '{task}' AND outcome = 'ok' GROUP BY tag ORDER BY tag"
        )
        assert part.one("p", "quiet").text.startswith("46 rows = 40 ok + 6 failed · model main ")
        charts = [image.attributes["alt"] or "" for image in part.all("img") if image.attributes["alt"]]
        assert f"threshold {least:g}" in charts[0]
        assert sum(int(found) for found in re.findall(r": (\d+)", charts[0])) == 40
        assert [line.one("th").text for line in part.one("section", "failures").one("tbody").all("tr")] == [
            "gone",
            "bad_url",
        ]
        (surest,) = desk.ask(
            f"SELECT eolMediaURL, confidence FROM tags WHERE task = '{task}' AND outcome = 'ok' "
            "ORDER BY confidence DESC, logit DESC LIMIT 1"
        )
        cards = {card.one("a").attributes["href"]: card for card in part.all("figure", "card")}
        assert float(cards[surest[0]].attributes["data-confidence"] or "nan") == pytest.approx(surest[1])
        assert all(list(card.all("img")) for card in cards.values())
    kept = desk.thumbnails("kind")
    assert sorted(row["eolMediaURL"] for row in kept) == sorted(url for url, _ in rows[:40])
    for row in kept[::7]:
        path = sample_images / row["eolMediaURL"].partition("/files/")[2]
        with Image.open(path) as image, Image.open(BytesIO(row["jpeg"])) as shown:
            assert max(shown.size) == 32
            wanted = np.asarray(image.convert("RGB").resize(shown.size, Image.Resampling.BOX)).astype(int)
            assert abs(np.asarray(shown).astype(int) - wanted).mean() < 24  # JPEG smooths the noise of small photos
    assert "<script>alert" not in desk.text
    shown = [card.attributes for card in page.all("figure", "card")]
    (desk.output / "report/index.html").unlink()
    said = desk.report()
    assert [card.attributes for card in read_html(desk.text).all("figure", "card")] == shown
    assert (said["tasks"], said["thumbnails"]) == (["kind", "strict"], len({card["data-image"] for card in shown}))
    assert said["bytes"] == len(desk.text.encode())
    assert desk.report(["strict"])["tasks"] == ["strict"]
    assert [part.one("h2").text for part in read_html(desk.text).all("section", "task")] == ["strict"]
    with pytest.raises(OutputError, match="holds no tags of task 'other'; known: kind, strict"):
        desk.report(["other"])


def test_a_report_of_nothing_is_refused(desk: Desk) -> None:
    with pytest.raises(OutputError, match="holds no tags yet"):
        desk.report()
    assert not (desk.output / "report").exists()


def test_a_run_that_finds_nothing_new_leaves_the_page_alone_and_a_new_threshold_renews_it(
    desk: Desk, rows: list[tuple[str, str]]
) -> None:
    first = desk.tag(rows[:12], [desk.task("kind", 0.0)])
    before = desk.text
    desk.tag(rows[:12], [desk.task("kind", 0.0)])
    assert desk.text == before
    task = desk.task("kind", 0.99)
    decide_tags(DecideRequest([task], str(desk.output), desk.folder))
    page = read_html(desk.text)
    assert first["run_id"] not in page.one("h1").text
    assert ("unsure", len(desk.ask("SELECT 1 FROM tags WHERE confidence < 0.99"))) in tag_counts(section(page, "kind"))
    assert "threshold 0.99" in desk.text


def test_thumbnails_stay_within_their_number_over_all_runs(desk: Desk, rows: list[tuple[str, str]]) -> None:
    task = desk.task("kind", 0.6)
    desk.tag(rows[:20], [task], thumbnails=6, first_wave_images=8)
    first = {row["eolMediaURL"] for row in desk.thumbnails("kind")}
    assert len(first) == 6
    desk.tag(rows[:40], [task], thumbnails=5)
    second = {row["eolMediaURL"] for row in desk.thumbnails("kind")}
    assert len(second) == 5
    assert all(len(row["jpeg"]) <= 6_000 for row in desk.thumbnails("kind"))
    pictured = [card for card in read_html(desk.text).all("figure", "card") if list(card.all("img"))]
    assert {card.one("a").attributes["href"] for card in pictured} <= second
    desk.tag(rows[:40], [task], thumbnails=0)
    assert not (desk.output / "thumbnails/task=kind").exists()
    cards = list(read_html(desk.text).all("figure", "card"))
    assert cards
    assert not any(list(card.all("img")) for card in cards)


def test_many_images_of_one_tag_are_drawn_from_and_rare_ones_are_all_looked_at(
    session: SparkSession,
) -> None:
    def row(number: int, tag: str) -> Row:
        told = {"task": "kind", "eolMediaURL": f"https://eol.org/{number}.jpg", "bundle": "b", "bundle_row": number}
        return {**told, "outcome": "ok", "tag": tag, "label": tag, "confidence": 0.5, "logit": 1.0, "models": {}}

    everything = [row(number, "common") for number in range(3_000)] + [row(9_000 + n, "rare") for n in range(5)]
    tags = session.createDataFrame([tuple(one.get(name) for name in TAGS.fieldNames()) for one in everything], TAGS)
    tags = tags.withColumn("kept", F.array().cast(KEPT))
    counts = count_groups(tags)
    picture = ("kind", "https://eol.org/1234.jpg")
    found = find_rows(tags, counts, {picture})
    common = [one for one in found if one.tag == "common"]
    assert 300 < len(common) < 500
    assert picture[1] in {one.url for one in common}
    assert len([one for one in found if one.tag == "rare"]) == 5
    assert max(one.order for one in common if one.url != picture[1]) < "3"

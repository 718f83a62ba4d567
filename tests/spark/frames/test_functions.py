"""One struct column more for any DataFrame: every row once, nothing of the caller's touched."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from eoltag.errors import DataError, PackageError, SettingsError, TaskError, UsageError
from eoltag.spark import classify_images, tag_images
from eoltag.spark.frames.cluster import MOST_CARRIED, Cluster, Luggage
from tests.support.loopback import Loopback
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package

pytestmark = pytest.mark.spark

TASK = """
name = "kind"
bundle_columns = ["place=outcome"]
missing = "none"
models.main.package = "tiny"
[[rules]]
name = "by_row"
when = "place = 'herbarium' AND ancestry LIKE 'Plantae%'"
tag = "sheet"
[[rules]]
name = "by_model"
when = "main.confidence > 0.5 AND place <> 'nowhere'"
tag_sql = "label"
"""
SETTINGS = {"fetch": {"allow_private_hosts": True, "attempts": 1}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Four pictures, beside a model and a task."""
    for number in range(4):
        save(tmp_path / f"{number}.jpg", number, (40 + number, 30))
    write_tiny_package(tmp_path / "tiny", "ab", 1)
    (tmp_path / "kind.toml").write_text(TASK)
    with Loopback(tmp_path) as running:
        yield running


def frame(session: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    """A DataFrame whose names are also those of the answer, and of what the function uses inside."""
    return session.createDataFrame(rows, "id int, link string, outcome string, ancestry string, label int").selectExpr(
        "*", "INTERVAL 3 DAYS AS waited", "map(id, label) AS known", "id AS `the row`"
    )


def test_every_row_stays_once_with_its_own_columns_and_has_one_more(
    session: SparkSession, server: Loopback, tmp_path: Path
) -> None:
    first, second, gone = server.url("0.jpg"), server.url("1.jpg"), server.url("/status/404/x.jpg")
    rows = [
        (1, first, "herbarium", "Plantae|Rosa", 7),
        (2, first, "field", "Plantae|Rosa", 7),
        (3, None, "field", None, 7),
        (4, gone, "field", None, 7),
        (5, second, "nowhere", None, None),
        (5, second, "nowhere", None, None),
        (6, "nonsense", "herbarium", "Plantae|Rosa", 7),
    ]
    given = frame(session, rows)
    before = dict(session.conf.getAll)
    result = tag_images(given, tmp_path / "kind.toml", "link", SETTINGS, name="my tags")
    assert dict(session.conf.getAll) == before
    assert result.schema.fields[:-1] == given.schema.fields
    assert result.columns[-1] == "my tags"
    assert server.requests == [], "nothing is fetched before Spark is asked for it"
    found = sorted(result.collect(), key=lambda row: row.id)
    assert [tuple(row)[:5] for row in found] == rows
    assert [(row[-1].outcome, row[-1].http_status, row[-1].tag, row[-1].rule) for row in found] == [
        ("ok", 200, "sheet", "by_row"),
        ("ok", 200, found[0][-1].label, "by_model"),
        ("bad_url", None, None, None),
        ("gone", 404, None, None),
        ("ok", 200, "none", None),
        ("ok", 200, "none", None),
        ("bad_url", None, None, None),
    ]
    good = found[0][-1]
    assert good.label in ("a", "b")
    assert good.scores[good.label] == pytest.approx(good.confidence)
    assert sum(good.scores.values()) == pytest.approx(1)
    assert (good.width, good.height, len(good.content_sha256), len(good.model_version)) == (40, 30, 64, 12)
    assert sorted(server.requests) == ["/files/0.jpg", "/files/1.jpg", "/status/404/x.jpg"], "each URL once"


def test_an_image_is_fetched_once_though_a_filter_and_a_column_use_its_answer(
    session: SparkSession, server: Loopback, tmp_path: Path
) -> None:
    given = frame(session, [(number, server.url(f"{number}.jpg"), "", None, 0) for number in range(4)])
    answered = classify_images(given, tmp_path / "tiny", "link", SETTINGS, partitions=1)
    assert "tag" not in answered.schema["classified"].dataType.fieldNames()  # type: ignore[attr-defined]
    wide = answered.where("classified.outcome = 'ok' AND classified.width > 41").select(
        "id", "classified.label", "label"
    )
    assert sorted((row[0], row[2]) for row in wide.collect()) == [(2, 0), (3, 0)]
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"url": "links"}, DataError, "url: a column of the DataFrame was wanted. Received: 'links'"),
        ({"url": "id"}, DataError, "url: a column of texts was wanted. Received: 'id', of type int"),
        ({"name": "Outcome"}, DataError, "name: the DataFrame has a column 'Outcome' already"),
        ({"partitions": 0}, SettingsError, "partitions: a whole number from 1 was wanted. Received: 0"),
        ({"settings": {"fetch": {"rate": 1}}}, SettingsError, "settings: unknown key 'fetch.rate'"),
        ({"settings": "none.toml"}, SettingsError, "none.toml: cannot be read"),
        ({"task": "year.toml"}, TaskError, "bundle_columns: the DataFrame has no column 'year'"),
        ({"task": "wrong.toml"}, TaskError, "rule 'r': Spark refuses it"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_before_anything_is_fetched(
    options: dict[str, Any], error: type[UsageError], line: str,
    session: SparkSession, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    rule = '[[rules]]\nname = "r"\nwhen = "{}"\ntag = "x"\n'
    head = 'name = "kind"\nmodels.main.package = "tiny"\n'
    Path("year.toml").write_text(f'{head}bundle_columns = ["year"]\n')
    Path("wrong.toml").write_text(head + rule.format("confidences > 1"))
    given = frame(session, [(1, server.url("0.jpg"), "", None, 0)])
    chosen = {"task": "kind.toml", "url": "link", "settings": SETTINGS, **options}
    with pytest.raises(error) as refused:
        tag_images(given, **chosen)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert server.requests == []


@dataclass
class Conf:
    """Settings of a session."""

    master: str
    failures: str = "4"

    def get(self, key: str, default: str, /) -> str:
        """As SparkConf does."""
        return {"spark.master": self.master, "spark.task.maxFailures": self.failures}.get(key, default)


@pytest.mark.parametrize(
    ("master", "failures", "retries"),
    [
        ("local", "4", False),
        ("local[2]", "4", False),
        ("local[*]", "4", False),
        ("local[*, 4]", "4", True),
        ("local[2,1]", "4", False),
        ("local-cluster[2,1,1024]", "4", True),
        ("yarn", "4", True),
        ("yarn", "1", False),
    ],
)
def test_pictures_are_decoded_apart_where_spark_tries_no_task_again(master: str, failures: str, retries: bool) -> None:
    assert Cluster(Conf(master, failures), 2, True, Luggage().add).retries is retries


@pytest.mark.parametrize(
    ("slots", "is_fixed", "partitions", "tasks_at_a_time"),
    [(8, True, 8, 8), (8, True, 100, 8), (8, True, 2, 2), (8, False, 2, 2), (8, False, 100, 100)],
)
def test_the_share_of_the_rate_is_that_of_all_tasks_that_may_ever_run_at_once(
    slots: int, is_fixed: bool, partitions: int, tasks_at_a_time: int
) -> None:
    cluster = Cluster(Conf("yarn"), slots, is_fixed, Luggage().add)
    assert cluster.rate_share(partitions) == pytest.approx(1 / tasks_at_a_time)


def test_models_that_a_query_of_spark_connect_cannot_hold_are_refused_in_one_line() -> None:
    luggage = Luggage()
    assert luggage.add(b"small").value == b"small"
    with pytest.raises(
        PackageError, match=r"no broadcast.*at most 67,108,864 bytes were wanted\. Received: 67,108,869"
    ):
        luggage.add(bytes(MOST_CARRIED))

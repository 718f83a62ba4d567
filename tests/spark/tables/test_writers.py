"""The tags as files in several formats beside each other; a new format is one entry."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.errors import TaskError
from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import replace_tags
from eoltag.spark.tables.writers import registry
from eoltag.spark.tables.writers.export import export_tags, exported_files
from eoltag.spark.tables.writers.writer import TableWriter
from tests.support.tables import bundle_rows, facts, rule, task

pytestmark = pytest.mark.spark
A, B, C = "https://eol.org/a.jpg", "https://eol.org/b.jpg", "https://eol.org/c.jpg"
COLUMNS = ("eolMediaURL", "ancestry", "imclass=tag", "logit", "all=main")
RULES = (rule("bad", "label = 'bad'", "ba\td"),)


@pytest.fixture
def output(session: SparkSession, tmp_path: Path) -> Output:
    return Output(session, str(tmp_path / "out"), "20260101T000000Z-abcdef")


def decided(session: SparkSession, output: Output, **content: Any) -> Task:
    """A task over three rows, one of which failed, whose tags are written."""
    kind = task(columns=COLUMNS, rules=RULES, missing="NA", **content)
    rows = [{"eolMediaURL": B, "ancestry": "Plantae|\nRosa"}, {"eolMediaURL": A}, {"eolMediaURL": C}]
    known: list[dict[str, Any]] = [
        {"eolMediaURL": A, "label": "good", "logit": 1.0},
        {"eolMediaURL": B, "label": "bad", "logit": 2.5},
        {"eolMediaURL": C, "outcome": "gone", "http_status": 404, "detail": "HTTP 404"},
    ]
    replace_tags(output, tag_rows(bundle_rows(session, rows), facts(session, known), kind), "kind")
    return kind


def lines(output: Output, path: str) -> list[str]:
    return (Path(output.root) / path).read_text(encoding="utf-8").splitlines()


def test_json_lines_hold_the_columns_of_the_tsv_with_their_types_and_null(
    session: SparkSession, output: Output
) -> None:
    kind = decided(session, output, formats=("tsv", "jsonl"))
    export_tags(output, kind)
    found = [json.loads(line) for line in lines(output, "jsonl/kind/list_finaltags.jsonl")]
    model = {"confidence": 0.9, "model_version": "aaaaaaaaaaaa"}
    assert found == [
        {
            "eolMediaURL": B,
            "ancestry": "Plantae|\nRosa",
            "imclass": "ba\td",
            "logit": 2.5,
            "all": {"label": "bad", "logit": 2.5, **model},
        },
        {
            "eolMediaURL": A,
            "ancestry": None,
            "imclass": "NA",
            "logit": 1.0,
            "all": {"label": "good", "logit": 1.0, **model},
        },
    ]
    assert list(found[0]) == ["eolMediaURL", "ancestry", "imclass", "logit", "all"]
    [failed] = [json.loads(line) for line in lines(output, "jsonl/kind/list_failures.jsonl")]
    assert (failed["eolMediaURL"], failed["http_status"], failed["identifier"]) == (C, 404, None)
    assert lines(output, "tsv/kind/list_finaltags.tsv")[1].startswith(f"{B}\tPlantae| Rosa\tba d\t2.5\t")
    assert sorted(exported_files(output, kind)) == [
        "jsonl/kind/list_failures.jsonl",
        "jsonl/kind/list_finaltags.jsonl",
        "tsv/kind/list_failures.tsv",
        "tsv/kind/list_finaltags.tsv",
    ]


def test_files_of_a_format_that_is_not_wanted_any_more_are_dropped(session: SparkSession, output: Output) -> None:
    export_tags(output, decided(session, output, formats=("tsv", "jsonl")))
    export_tags(output, decided(session, output, formats=("jsonl",)))
    assert sorted(path.name for path in Path(output.root).glob("*/kind")) == ["kind"]
    assert not (Path(output.root) / "tsv/kind").exists()


def test_a_new_format_is_one_entry_in_the_registry(
    session: SparkSession, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = TableWriter(
        "md", "|".join, lambda cells: F.concat_ws("|", *[cell.value.cast("string") for cell in cells[:3]])
    )
    monkeypatch.setattr(registry, "WRITERS", [*registry.WRITERS, toy])
    kind = decided(session, output, formats=("md",))
    check_task(session, kind)
    export_tags(output, kind)
    assert lines(output, "md/kind/list_finaltags.md")[0] == "eolMediaURL|ancestry|imclass|logit|all"
    assert lines(output, "md/kind/list_finaltags.md")[3] == f"{A}|NA"


def test_an_unknown_format_is_refused_with_those_that_are_known(session: SparkSession) -> None:
    with pytest.raises(TaskError, match=r"^kind.toml: formats: wanted some of tsv, jsonl, delta. Received: 'xml'$"):
        check_task(session, task(formats=("tsv", "xml")))

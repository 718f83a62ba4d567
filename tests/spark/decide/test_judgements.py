"""What people say of an image goes before the rules."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from eoltag.judgements.record import Judgement, agreed, append, read
from eoltag.spark.decide.judgements import judgements_digest, read_judgements
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.tables.output import Output
from tests.support.tables import bundle_rows, content_of, facts, rule, task

pytestmark = pytest.mark.spark
A, B, C, D, E = (f"https://eol.org/{name}.jpg" for name in "abcde")
ANNA = Judgement("Anna", "kind", A, content_of(A), "good", "bad", "random", {}, "2026-01-01T00:00:01")


def of(url: str, person: str, tag: str | None, at: int, **more: object) -> Judgement:
    said = {"person": person, "url": url, "content_sha256": content_of(url), "said_tag": tag, "judged_at": f"{at:04}"}
    return replace(ANNA, **{**said, **more})  # type: ignore[arg-type]


@pytest.fixture
def output(session: SparkSession, tmp_path: Path) -> Output:
    """An output directory with judgements of all kinds."""
    append(
        tmp_path,
        [
            of(A, "Anna", "bad", 1),
            of(A, "Ben", None, 2),  # unsure: Anna decides
            of(B, "Anna", "bad", 3),
            of(B, "Ben", "good", 4),  # disputed
            of(C, "Anna", "bad", 5),
            of(C, "Anna", "bad", 5, is_withdrawn=True, judged_at="0006"),
            of(D, "Anna", "map", 7, id="one-judgement"),
            of(D, "Anna", "map", 7, id="one-judgement"),  # sent twice
            of(D, "Anna", "map", 8, is_withdrawn=True, id="another-judgement"),
            of(D, "Anna", "bad", 9),
            of(E, "Anna", "bad", 10, task="other"),
        ],
    )
    return Output(session, str(tmp_path), "run")


def test_spark_reads_the_same_as_python(output: Output) -> None:
    found = read_judgements(output)
    assert found is not None
    by_spark = sorted((row.task, row.content_sha256, row.said_tag) for row in found.collect())
    by_python = [
        (one.task, one.content_sha256, one.tag) for one in agreed(read(Path(output.root))) if one.tag is not None
    ]
    assert by_spark == sorted(by_python)
    assert {(task, content) for task, content, _ in by_spark} == {
        ("kind", content_of(A)), ("kind", content_of(D)), ("other", content_of(E)),
    }  # fmt: skip


def test_a_tag_of_a_person_takes_the_place_of_the_rule(session: SparkSession, output: Output) -> None:
    urls = [A, B, C, D, E, "https://eol.org/gone.jpg"]
    known = facts(
        session,
        [{"eolMediaURL": url, "label": "good", "confidence": 0.9} for url in urls[:-1]]
        + [{"eolMediaURL": urls[-1], "outcome": "gone", "content_sha256": content_of(A)}],
    )
    kind = task(rules=(rule("sure", "label = 'good'", "fine"),))
    before = tag_rows(bundle_rows(session, [{"eolMediaURL": url} for url in urls]), known, kind)
    rows = tag_rows(
        bundle_rows(session, [{"eolMediaURL": url} for url in urls]),
        replace(known, judgements=read_judgements(output)),
        kind,
    )
    assert rows.schema == before.schema
    assert [(row.tag, row.rule) for row in rows.orderBy("bundle_row").collect()] == [
        ("bad", "person"), ("fine", "sure"), ("fine", "sure"), ("bad", "person"), ("fine", "sure"), (None, None),
    ]  # fmt: skip


def test_a_new_judgement_changes_what_a_decision_is_made_from(session: SparkSession, output: Output) -> None:
    before = judgements_digest(output)
    append(Path(output.root), [of(C, "Ben", "bad", 11)])
    assert judgements_digest(output) != before != ""
    assert judgements_digest(Output(session, f"{output.root}/elsewhere", "run")) == ""

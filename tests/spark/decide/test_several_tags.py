"""Tasks that give an image several tags: in the table, in the files, and where people judge."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.rules import Facts, tag_rows
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import one_tag_a_row, read_tags, replace_tags
from eoltag.spark.tables.writers.export import export_tags
from tests.support.tables import bundle_rows, content_of, facts, rule, task

pytestmark = pytest.mark.spark
URLS = [f"https://eol.org/{name}.jpg" for name in "abcde"]
LOGITS = [(2.0, 1.0), (2.0, -1.0), (-1.0, -1.0), (-1.0, 3.0)]
RULES = (
    rule("flower", "logits['bad'] > 1.5F", "flower"),
    rule("fruit", "logits['good'] > 0.5F", "fruit"),
    rule("ripe", "logits['good'] > 2", "fruit"),
)
WANTED = [("flower|fruit", "flower|fruit"), ("flower", "flower"), ("none", None), ("fruit", "fruit"), (None, None)]


def known(session: SparkSession) -> Facts:
    rows = [{"eolMediaURL": url, "scores": list(logits)} for url, logits in zip(URLS, LOGITS, strict=False)]
    return facts(session, [*rows, {"eolMediaURL": URLS[4], "outcome": "gone"}])


@pytest.mark.parametrize("tag_rows_as", ["joined", "each"])
def test_every_rule_that_holds_gives_its_tag_once(session: SparkSession, tmp_path: Path, tag_rows_as: str) -> None:
    kind = task(
        rules=RULES, missing="none", multiple=True, tag_rows=tag_rows_as, columns=("eolMediaURL", "tag", "rule")
    )
    check_task(session, kind)
    output = Output(session, str(tmp_path / "out"), "20260101T000000Z-abcdef")
    replace_tags(
        output, tag_rows(bundle_rows(session, [{"eolMediaURL": url} for url in URLS]), known(session), kind), "kind"
    )
    written = read_tags(output, "kind").orderBy("bundle_row").collect()
    assert [(row.tag, row.rule) for row in written] == WANTED
    assert [row.tags for row in written] == [["flower", "fruit"], ["flower"], [], ["fruit"], None]
    export_tags(output, kind)
    lines = (tmp_path / "out/tsv/kind/list_finaltags.tsv").read_text().splitlines()
    a, b, c, d, _ = URLS
    in_a = (
        [f"{a}\tflower|fruit\tflower|fruit"]
        if tag_rows_as == "joined"
        else [f"{a}\t{x}\t{x}" for x in ("flower", "fruit")]
    )
    assert lines == ["eolMediaURL\ttag\trule", *in_a, f"{b}\tflower\tflower", f"{c}\tnone\t", f"{d}\tfruit\tfruit"]


def test_the_condition_of_the_files_sees_one_tag_at_a_time(session: SparkSession, tmp_path: Path) -> None:
    kind = task(
        rules=RULES,
        missing="none",
        multiple=True,
        tag_rows="each",
        columns=("eolMediaURL", "tag"),
        where="tag = 'fruit'",
    )
    output = Output(session, str(tmp_path / "out"), "20260101T000000Z-abcdef")
    replace_tags(
        output, tag_rows(bundle_rows(session, [{"eolMediaURL": url} for url in URLS]), known(session), kind), "kind"
    )
    export_tags(output, kind)
    lines = (tmp_path / "out/tsv/kind/list_finaltags.tsv").read_text().splitlines()
    assert lines == ["eolMediaURL\ttag", f"{URLS[0]}\tfruit", f"{URLS[3]}\tfruit"]


def test_a_person_says_several_tags_at_once(session: SparkSession) -> None:
    kind = task(rules=RULES, missing="none", multiple=True)
    said = session.createDataFrame(
        [("kind", content_of(URLS[2]), "flower|fruit")], "task string, content_sha256 string, said_tag string"
    )
    now = known(session)
    judged = Facts(now.images, now.scores, now.measures, said)
    tags = tag_rows(bundle_rows(session, [{"eolMediaURL": URLS[2]}]), judged, kind)
    (row,) = tags.collect()
    assert (row.tag, row.rule, row.tags) == ("flower|fruit", "person", ["flower", "fruit"])
    single = [(row.tag, row.rule) for row in one_tag_a_row(tags, kind).orderBy("tag number").collect()]
    assert single == [("flower", "person"), ("fruit", "person")]

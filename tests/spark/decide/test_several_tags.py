"""Tasks that give an image several tags: in the table, in the files, and where people judge."""

import math
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from eoltag.publish.manifest import PublishedTask
from eoltag.report.summary import summary_text
from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.decision import begin_change
from eoltag.spark.decide.flips import flips_of
from eoltag.spark.decide.rules import Facts, tag_rows
from eoltag.spark.jobs.diff import Side, compare, counted_by_tag
from eoltag.spark.publish.darwin_core import assertions
from eoltag.spark.report.counts import summarise
from eoltag.spark.tables.bundles import replace_bundles
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IDENTITY
from eoltag.spark.tables.tags import one_tag_a_row, read_tags, replace_tags
from eoltag.spark.tables.writers.export import export_tags
from tests.support.tables import VERSION, append, bundle_rows, content_of, facts, rule, task

pytestmark = pytest.mark.spark
URLS = [f"https://eol.org/{name}.jpg" for name in "abcde"]
LOGITS = [(2.0, 1.0), (2.0, -1.0), (-1.0, -1.0), (-1.0, 3.0)]
RULES = (
    rule("flower", "logits['bad'] > 1.5F", "flower"),
    rule("fruit", "logits['good'] > 0.5F", "fruit"),
    rule("ripe", "logits['good'] > 2", "fruit"),
)
WANTED = [("flower|fruit", "flower|fruit"), ("flower", "flower"), ("none", None), ("fruit", "fruit"), (None, None)]


def sure(image: int, tag: str) -> object:
    """The probability of the label that a tag comes from, by hand."""
    bad, good = (math.exp(logit) for logit in LOGITS[image])
    return pytest.approx((bad if tag == "flower" else good) / (bad + good), abs=1e-6)


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
    assert [row.confidences for row in written] == [
        [sure(0, "flower"), sure(0, "fruit")], [sure(1, "flower")], [], [sure(3, "fruit")], None,
    ]  # fmt: skip
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
    words = [(0, "none"), (1, "bud|fruit|flower"), (2, "flower|fruit")]
    said = session.createDataFrame(
        [("kind", content_of(URLS[image]), text) for image, text in words],
        "task string, content_sha256 string, said_tag string",
    )
    now = known(session)
    judged = Facts(now.images, now.scores, now.measures, said)
    tags = tag_rows(bundle_rows(session, [{"eolMediaURL": url} for url in URLS[:3]]), judged, kind)
    none, all_of_them, two = tags.orderBy("bundle_row").collect()
    assert (none.tag, none.rule, none.tags) == ("none", "person", [])
    assert (all_of_them.tag, all_of_them.tags) == ("flower|fruit|bud", ["flower", "fruit", "bud"]), "as rules have them"
    assert (two.tag, two.rule, two.tags) == ("flower|fruit", "person", ["flower", "fruit"])
    assert all_of_them.confidences == [sure(1, "flower"), sure(1, "fruit"), pytest.approx(all_of_them.confidence)]
    single = one_tag_a_row(tags, kind).orderBy("bundle_row", "tag number").collect()
    assert [(row.tag, row.rule) for row in single] == [
        ("none", "person"), ("flower", "person"), ("fruit", "person"), ("bud", "person"), ("flower", "person"),
        ("fruit", "person"),
    ]  # fmt: skip
    assert [row.confidence for row in single[1:3]] == [sure(1, "flower"), sure(1, "fruit")]


def test_an_assertion_has_the_confidence_and_the_error_of_its_own_tag(session: SparkSession) -> None:
    kind = task(rules=RULES, missing="none", multiple=True)
    tags = tag_rows(bundle_rows(session, [{"eolMediaURL": URLS[0]}]), known(session), kind)
    audited = {"precision": 0.9, "interval": [0.8, 1.0], "images": 20}
    certificate = {"tags": {"flower": audited, "fruit": {**audited, "precision": None, "images": 0}}}
    published = PublishedTask(
        1, {"flower": 1, "fruit": 1}, {"main": VERSION}, {"missing": "none"}, {}, ["list"], "20260101", "", certificate
    )
    rows = {row.assertionValue: row for row in assertions(tags, kind, published).collect()}
    flower, fruit = (math.exp(logit) / sum(map(math.exp, LOGITS[0])) for logit in LOGITS[0])
    assert rows["flower"].assertionRemarks == f"MachineObservation; rule flower; confidence {flower:.4f}"
    assert rows["fruit"].assertionRemarks == f"MachineObservation; rule fruit; confidence {fruit:.4f}"
    assert rows["flower"].assertionError == "precision 0.900 (95 % interval 0.800 to 1.000, 20 images audited)"
    assert rows["fruit"].assertionError == "not audited"


def test_counts_are_of_single_tags_and_comparisons_of_lists_in_any_order(session: SparkSession, tmp_path: Path) -> None:
    kind = task(rules=RULES, missing="none", multiple=True)
    turned = task(rules=(*RULES[1:], RULES[0]), missing="none", multiple=True)
    output = Output(session, str(tmp_path / "out"), "20260101T000000Z-abcdef")
    rows = bundle_rows(session, [{"eolMediaURL": url} for url in URLS])
    append(output, known(session))
    replace_bundles(output, rows.select(*IDENTITY))
    begin_change(output, kind, ["list"])
    replace_tags(output, tag_rows(rows, known(session), kind), "kind")
    summary = summarise(output, [kind], ["list"], time.monotonic())
    assert summary.tags == {"kind": {"flower": 2, "fruit": 2, "none": 1}}
    assert (summary.images, summary.rules["kind"]) == ({"kind": 4}, {"flower": 2, "fruit": 2, "ripe": 0})
    assert "task kind: 4 images tagged or looked at" in summary_text(summary)
    flips = flips_of(output, turned, None)
    assert (flips.now, flips.after, flips.moves) == ({"(no tag)": 1, **summary.tags["kind"]}, flips.now, {})
    sides = [Side(name, one, None) for name, one in (("old", kind), ("new", turned))]
    changed = compare(rows, known(session), *sides)
    assert changed.where("is_flip").count() == 0
    fewer = compare(
        rows, known(session), sides[0], Side("new", task(rules=RULES[:1], missing="none", multiple=True), None)
    )
    assert counted_by_tag(fewer) == [
        {"tag": "flower", "old": 2, "new": 2, "gained": 0, "lost": 0},
        {"tag": "fruit", "old": 2, "new": 0, "gained": 0, "lost": 2},
        {"tag": "none", "old": 1, "new": 2, "gained": 1, "lost": 0},
    ]

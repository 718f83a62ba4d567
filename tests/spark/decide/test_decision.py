"""The note of a decision: it holds while rows, rules, models and files are the same, and says nothing when in doubt."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import pytest
from pyspark.sql import SparkSession

from eoltag.bundle.staging import Staged
from eoltag.decide.task import Task
from eoltag.errors import OutputError
from eoltag.report import Changes
from eoltag.settings import Settings
from eoltag.spark.decide.decision import begin_change, decide, is_decided, leave
from eoltag.spark.predict.inputs import bundle_digests
from eoltag.spark.requests import TagRequest
from eoltag.spark.tables.bundles import read_bundles, replace_bundles
from eoltag.spark.tables.decided import bundles_of
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.runs import Run
from eoltag.spark.tables.schemas import IDENTITY
from eoltag.spark.tables.tags import read_tags
from tests.support.tables import append, bundle_rows, facts, rule, task

A, B = "https://eol.org/a.jpg", "https://eol.org/b.jpg"
DIGESTS: Final = {"list": "1", "other": "2"}
ABOVE: Final = (rule("above", "confidence > ${threshold.bad}", "bad"),)


def kind(**content: Any) -> Task:
    """The task that was decided, unless `content` says otherwise."""
    return task(**{"rules": ABOVE, "thresholds": {"bad": 0.5}, **content})


@pytest.fixture(scope="module")
def world(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bundles, decided; one row of `list` is a failure."""
    folder = tmp_path_factory.mktemp("decided")
    output = Output(session, str(folder), "run1")
    begin(output)
    rows = [{"eolMediaURL": A}, {"eolMediaURL": B}, {"eolMediaURL": A, "bundle": "other"}]
    begin_change(output, kind(), DIGESTS)
    replace_bundles(output, bundle_rows(session, rows).select(*IDENTITY))
    known = [{"eolMediaURL": A, "label": "bad", "confidence": 0.9}, {"eolMediaURL": B, "outcome": "gone"}]
    append(output, facts(session, known))
    decide(output, kind(), DIGESTS)
    end(output)
    return folder


@pytest.fixture
def output(session: SparkSession, world: Path, tmp_path: Path) -> Output:
    """A copy of it."""
    shutil.copytree(world, tmp_path / "out")
    return Output(session, str(tmp_path / "out"), "run2")


@pytest.mark.spark
def test_what_was_decided_stands_for_these_bundles_and_for_each_alone(output: Output) -> None:
    assert is_decided(output, kind(), DIGESTS)
    assert is_decided(output, kind(), {"other": "2"})
    assert not is_decided(output, kind(), {"list": "2"}), "other rows"
    assert not is_decided(output, kind(), {**DIGESTS, "third": "3"})


@pytest.mark.spark
@pytest.mark.parametrize(
    "changed",
    [
        kind(rules=(rule("above", "confidence >= ${threshold.bad}", "bad"),)),
        kind(thresholds={"bad": 0.6}),
        kind(columns=("eolMediaURL", "tag")),
        kind(features=("mnorm_pp",)),
        replace(kind(), packages={"main": replace(kind().packages["main"], version="bbbbbbbbbbbb")}),
    ],
    ids=["a rule", "a threshold", "a column of the TSV", "a feature", "the model"],
)
def test_another_task_file_or_model_is_not_decided(output: Output, changed: Task) -> None:
    assert not is_decided(output, changed, DIGESTS)


LOSSES: dict[str, Callable[[Path], object]] = {
    "a TSV file": lambda out: (out / "tsv/kind/other_finaltags.tsv").unlink(),
    "a TSV file of failures": lambda out: (out / "tsv/kind/list_failures.tsv").unlink(),
    "the tags": lambda out: shutil.rmtree(out / "tags"),
    "the note": lambda out: (out / "decided/kind.json").unlink(),
    "the end of the note": lambda out: (out / "decided/kind.json").write_text('{"decision": "'),
    "the sense of the note": lambda out: (out / "decided/kind.json").write_text("[]"),
}


@pytest.mark.spark
@pytest.mark.parametrize("what", LOSSES)
def test_what_has_lost_something_is_decided_again(output: Output, what: str) -> None:
    LOSSES[what](Path(output.root))
    assert not is_decided(output, kind(), DIGESTS)
    begin_change(output, kind())


@pytest.mark.spark
def test_another_version_of_eoltag_decides_again(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eoltag.spark.decide.decision.__version__", "9.9.9")
    assert not is_decided(output, kind(), DIGESTS)


@pytest.mark.spark
def test_rows_that_a_killed_run_may_have_replaced_are_forgotten(output: Output) -> None:
    begin_change(output, kind())
    assert not is_decided(output, kind(), DIGESTS), "the run was killed here"
    begin_change(output, kind())
    decide(output, kind(), {"list": "1"})
    assert is_decided(output, kind(), {"list": "1"})
    assert not is_decided(output, kind(), {"other": "2"})


@pytest.mark.spark
def test_a_folder_of_tags_into_which_a_killed_run_has_placed_no_file_is_no_table(output: Output) -> None:
    begin_change(output, kind())
    wanted = read_tags(output, "kind").collect()
    shutil.rmtree(output.path("tags", "task=kind"))
    Path(output.path("tags", "task=kind")).mkdir()
    assert not is_decided(output, kind(), DIGESTS)
    assert decide(output, kind(), DIGESTS) is None, "there were no tags before"
    assert read_tags(output, "kind").collect() == wanted


@pytest.mark.spark
def test_a_bundle_that_a_killed_run_has_named_and_not_kept_is_left_out_and_one_that_is_gone_is_named(
    output: Output,
) -> None:
    begin_change(output, kind(), ["never kept"])
    decide(output, kind(), DIGESTS)
    assert bundles_of(output, "kind") == ["list", "other"]
    shutil.rmtree(output.path("bundles", "bundle=other"))
    begin_change(output, kind())
    with pytest.raises(OutputError, match="bundle=other: the rows of a bundle of task 'kind' are gone; run"):
        decide(output, kind(), {"list": "2"})


@pytest.mark.spark
def test_another_task_over_the_same_bundles_is_given_just_its_own(output: Output) -> None:
    other = kind(columns=("eolMediaURL", "tag"))
    other = replace(other, file=other.file.model_copy(update={"name": "second"}))
    begin_change(output, other, ["other"])
    decide(output, other, {"other": "2"})
    assert (bundles_of(output, "kind"), bundles_of(output, "second")) == (["list", "other"], ["other"])
    assert [row["bundle"] for row in read_bundles(output, "second").collect()] == ["other"]
    assert is_decided(output, other, {"other": "2"})
    assert is_decided(output, kind(), DIGESTS)


@pytest.mark.spark
def test_a_run_over_one_bundle_leaves_the_others_decided(output: Output) -> None:
    begin_change(output, kind())
    decide(output, kind(), {"list": "3"})
    assert is_decided(output, kind(), {"list": "3", "other": "2"})


def digests(bundles: dict[str, str], **request: Any) -> dict[str, str]:
    """Of a run over staged files with these digests."""
    asked = TagRequest([], [], "out", Settings(), Path(), **request)
    return bundle_digests(Run(cast("Output", None), [], Staged(Path(), list(bundles), bundles), asked))


def test_equal_rows_have_equal_digests_and_others_do_not() -> None:
    both = {"x_breakdown_1": "a", "x_breakdown_download_1": "b"}
    assert digests({"one": "a", "two": "b"})["one"] == digests({"one": "a"})["one"] != digests({"one": "b"})["one"]
    with_sibling, other_sibling = digests(both), digests({**both, "x_breakdown_1": "c"})
    assert with_sibling["x_breakdown_download_1"] != digests({"x_breakdown_download_1": "b"})["x_breakdown_download_1"]
    assert with_sibling["x_breakdown_download_1"] != other_sibling["x_breakdown_download_1"]
    drawn = digests({"one": "a", "two": "b"}, sample=5)
    assert drawn["one"] != digests({"one": "a", "two": "b"})["one"]
    assert drawn["one"] != digests({"one": "a", "two": "b"}, sample=5, seed=1)["one"]
    assert drawn["one"] != digests({"one": "a", "two": "c"}, sample=5)["one"], "it is drawn from both"


@pytest.mark.spark
def test_only_what_changed_is_counted_and_written_and_leads_from_the_old_files_to_the_new_ones(
    session: SparkSession, output: Output
) -> None:
    c, d = "https://eol.org/c.jpg", "https://eol.org/d.jpg"
    begin(output)
    rows = [{"eolMediaURL": c, "bundle": "list"}, {"eolMediaURL": d, "bundle": "list"}, {"eolMediaURL": A}]
    rows.append({"eolMediaURL": B, "bundle": "other"})  # A has left `other`, and is a later row of `list` than before
    replace_bundles(output, bundle_rows(session, rows).select(*IDENTITY))
    known = [
        {"eolMediaURL": c, "label": "bad", "confidence": 0.9},
        {"eolMediaURL": d, "label": "good", "confidence": 0.5},
    ]
    append(output, facts(session, [{**row, "run_id": "run2"} for row in known]))
    begin_change(output, kind(), DIGESTS)
    found = decide(output, kind(where="tag <> 'NA'"), DIGESTS, has_delta=True)
    assert found == Changes(new=2, changed=0, gone=1)
    folder = Path(output.root) / "changes/kind"
    header = "eolMediaURL\tidentifier\tdataObjectVersionID\tancestry\ttag"
    assert sorted(path.name for path in folder.iterdir()) == ["list_new.tsv", "other_gone.tsv"]
    assert [line.split("\t")[0] for line in (folder / "list_new.tsv").read_text().splitlines()] == ["eolMediaURL", c]
    assert (folder / "other_gone.tsv").read_text() == f"{header}\n{A}\t\t\tNA\tbad\n"

    begin_change(output, kind(), DIGESTS)
    stricter = kind(where="tag <> 'NA'", thresholds={"bad": 0.95})
    assert decide(output, stricter, DIGESTS, has_delta=True) == Changes(new=0, changed=2, gone=0)
    assert [line.split("\t")[::4] for line in (folder / "list_gone.tsv").read_text().splitlines()[1:]] == [
        [c, "bad"],
        [A, "bad"],
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["list_gone.tsv"]
    assert leave(output, stricter, has_delta=True) == Changes(0, 0, 0)
    assert not folder.exists()
    end(output)

"""The summary at the shell says what was attempted and what lets blocked images through."""

from dataclasses import asdict, replace

import pytest

from eoltag.errors import UsageError
from eoltag.report import Changes, Summary, Work, summary_text
from eoltag.spark.runtime.command import Parser, add_tasks
from train.__main__ import main


def summary_of(failed: dict[str, int], ok: int) -> Summary:
    """A run that asked for 235 images; what failed sent nothing."""
    rows = ok + sum(failed.values())
    work = Work(requests=235, downloaded=ok, not_downloaded=failed)
    return Summary("r", rows, ok, failed, {"kind": {}}, {"kind": {}}, 53.0, 4.4, "out", images_fetched=235, work=work)


def test_images_of_a_private_network_are_attempted_and_not_downloaded() -> None:
    text = summary_text(summary_of({"blocked_host": 235}, 0))
    assert text.startswith(
        "run r: 235 images attempted, 0 downloaded "
        "(235 blocked_host: --allow-private-hosts lets a private network through), 53.0 s"
    )
    assert "--allow-private-hosts --retry-failed lets them through" in text


def test_the_three_most_frequent_reasons_are_named_and_the_rest_counted() -> None:
    text = summary_text(summary_of({"gone": 2, "blocked_host": 1, "forbidden": 4, "dns": 2, "timeout": 1}, 225))
    said = "235 images attempted, 225 downloaded (4 forbidden, 2 gone, 2 dns, 2 otherwise), 4.4 images/s"
    assert text.startswith(f"run r: {said}")


def test_a_run_without_blocked_images_names_no_option_for_them() -> None:
    text = summary_text(summary_of({"gone": 5}, 230))
    assert text.startswith("run r: 235 images attempted, 230 downloaded (5 gone), 4.4 images/s, 53.0 s")
    assert "--allow-private-hosts" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (Changes(1_200, 0, 3), "  since the run before: 1,200 new, 3 gone"),
        (Changes(0, 2, 0), "  since the run before: 2 with another tag"),
        (Changes(0, 0, 0), "  since the run before: nothing new, changed or gone"),
    ],
)
def test_the_summary_says_what_is_otherwise_than_before(changes: Changes, said: str) -> None:
    summary = summary_of({}, 235).with_changes({"kind": changes}, has_delta=True)
    assert said in summary_text(summary).splitlines()
    assert summary.files == ["changes/kind"]
    assert summary.as_dict()["changes"] == {"kind": asdict(changes)}


@pytest.mark.parametrize(("index", "is_said"), [(0.31, True), (0.09, False)])
def test_the_summary_says_what_has_drifted(index: float, is_said: bool) -> None:
    summary = replace(summary_of({}, 235), drift={"kind": {"confidence": index, "tags": 0.0}})
    said = f"  drift since the run before (population stability index): confidence {index:.2f}, tags 0.00"
    assert (said in summary_text(summary).splitlines()) == is_said
    assert summary.as_dict()["drift"] == {"kind": {"confidence": index, "tags": 0.0}}


def test_the_first_run_of_a_task_says_nothing_of_a_run_before() -> None:
    summary = summary_of({}, 235).with_changes({"kind": None}, has_delta=False)
    assert "since the run before" not in summary_text(summary)
    assert (summary.changes, summary.files) == ({}, [])


def test_a_mistyped_option_of_a_job_is_answered_with_the_one_meant() -> None:
    parser = Parser("x.py", "", "")
    add_tasks(parser)
    with pytest.raises(UsageError, match=r"; did you mean '--model'\? \(see x\.py --help\)"):
        parser.parse_args(["--task", "demo", "--modle=a=b"])


def test_a_mistyped_verb_is_answered_with_the_one_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evalute"]) == 2
    assert "; did you mean 'evaluate'?" in capsys.readouterr().err

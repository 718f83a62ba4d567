"""The summary at the shell says what was attempted and what lets blocked images through."""

import pytest

from eoltag.errors import UsageError
from eoltag.report import Summary, summary_text
from eoltag.spark.runtime.command import Parser
from train.__main__ import main


def summary_of(failed: dict[str, int], ok: int) -> Summary:
    """A run that asked for 235 images."""
    rows = ok + sum(failed.values())
    return Summary("r", rows, ok, failed, {}, {}, 53.0, 4.4, "out", images_fetched=235)


def test_images_of_a_private_network_are_attempted_and_not_downloaded() -> None:
    text = summary_text(summary_of({"blocked_host": 235}, 0))
    assert text.startswith("run r: 235 images attempted, none downloaded, 53.0 s")
    assert "--allow-private-hosts --retry-failed lets them through" in text


def test_a_run_without_blocked_images_names_no_option_for_them() -> None:
    text = summary_text(summary_of({"gone": 5}, 230))
    assert text.startswith("run r: 235 images fetched, 4.4 images/s, 53.0 s")
    assert "--allow-private-hosts" not in text


def test_a_mistyped_option_of_a_job_is_answered_with_the_one_meant() -> None:
    with pytest.raises(UsageError, match=r"; did you mean '--model'\? \(see x\.py --help\)"):
        Parser("x.py", "", "").parse_args(["--task", "demo", "--modle=a=b"])


def test_a_mistyped_verb_is_answered_with_the_one_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evalute"]) == 2
    assert "; did you mean 'evaluate'?" in capsys.readouterr().err

"""The numbers of a run for Prometheus."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eoltag.errors import ExitCode, OutputError
from eoltag.report import Summary
from eoltag.report.metrics import write_metrics
from eoltag.report.summary import Work

SUMMARY = Summary(
    run_id="r1",
    rows_in=12,
    ok=9,
    failed={"gone": 2, "timeout": 1},
    tags={"kind": {'a "map"': 4, "photo": 5}},
    rules={},
    seconds=30.5,
    images_per_s=0.4,
    output="out",
    images_fetched=12,
    work=Work(requests=12, not_modified=3, scores=9, stage_s={"wait": 20.0}, hosts_away_s={"eol.org": 7.0}),
)


def numbers(path: Path) -> dict[tuple[str, ...], float]:
    """Name and label values of each metric in a file, in the order of the labels' names -> its value."""
    families = text_string_to_metric_families(path.read_text())
    return {
        (one.name, *(one.labels[name] for name in sorted(one.labels))): one.value
        for family in families
        for one in family.samples
    }


def test_a_run_is_written_as_prometheus_reads_it_and_replaces_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "textfile/eoltag.prom"
    write_metrics(replace(SUMMARY, ok=1), ExitCode.TOO_MANY_FAILURES, target)
    write_metrics(SUMMARY, ExitCode.DONE, target)
    found = numbers(target)
    ended = found.pop(("eoltag_run_ended_timestamp_seconds",))
    assert ended == pytest.approx(target.stat().st_mtime, abs=60)
    assert found == {
        ("eoltag_run_seconds",): 30.5,
        ("eoltag_run_exit_code",): 0,
        ("eoltag_requests",): 12,
        ("eoltag_requests_not_modified",): 3,
        ("eoltag_scores",): 9,
        ("eoltag_images_per_second",): 0.4,
        ("eoltag_rows", "ok"): 9,
        ("eoltag_rows", "gone"): 2,
        ("eoltag_rows", "timeout"): 1,
        ("eoltag_tagged_rows", 'a "map"', "kind"): 4,
        ("eoltag_tagged_rows", "photo", "kind"): 5,
        ("eoltag_stage_seconds", "wait"): 20,
        ("eoltag_host_away_seconds", "eol.org"): 7,
    }
    assert [path.name for path in target.parent.iterdir()] == ["eoltag.prom"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/x\.prom: cannot be written \(.+\); the run itself is done"):
        write_metrics(SUMMARY, ExitCode.DONE, tmp_path / "file/x.prom")

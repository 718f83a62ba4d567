"""The numbers of a run in the text format of Prometheus, for the textfile collector of its node exporter."""

import time
from pathlib import Path

from eoltag.errors import ExitCode, OutputError
from eoltag.report.summary import Summary


def write_metrics(summary: Summary, code: ExitCode, target: Path) -> None:
    """Write the file in one step, so that no half of it is collected. Raises OutputError.

    It holds the last run into each file: a run that did not come to its end leaves the numbers of the one before, which
    grow old (run_ended_timestamp_seconds).
    """
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile  # only runs that write it wait for it

    registry = CollectorRegistry()

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"eoltag_{name}", about, labels, registry=registry)

    plain = [
        ("run_seconds", "Seconds that the run took.", summary.seconds),
        ("run_exit_code", "0: done; 3: done, but more rows failed than are allowed.", int(code)),
        ("run_ended_timestamp_seconds", "When the run ended, in seconds since 1970.", time.time()),
        ("requests", "Different URLs that servers were asked for.", summary.work.requests),
        ("requests_not_modified", "Of these, those that a server still had as they were.", summary.work.not_modified),
        ("scores", "New scores: one for each content and model.", summary.work.scores),
        ("images_per_second", "Images asked for over the seconds of the run.", summary.images_per_s),
    ]
    for name, about, value in plain:
        gauge(name, about).set(value)
    rows = gauge("rows", "Bundle rows by what became of their image.", "outcome")
    for outcome, count in {"ok": summary.ok, **summary.failed}.items():
        rows.labels(outcome).set(count)
    tags = gauge("tagged_rows", "Bundle rows by task and tag.", "task", "tag")
    for task, counts in summary.tags.items():
        for tag, count in counts.items():
            tags.labels(task, tag).set(count)
    stages = gauge("stage_seconds", "Seconds of all Spark tasks by stage, and of commits.", "stage")
    for stage, seconds in summary.work.stage_s.items():
        stages.labels(stage).set(seconds)
    away = gauge("host_away_seconds", "The longest time for which a host gave no answer.", "host")
    for host, seconds in summary.work.hosts_away_s.items():
        away.labels(host).set(seconds)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(target), registry)
    except OSError as problem:
        raise OutputError(f"{target}: cannot be written ({problem.strerror}); the run itself is done") from problem

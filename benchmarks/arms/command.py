"""What all arms share: their command line, what they write, and how long the work took. Standard library only.

    python -m benchmarks.arms.NAME --urls urls.txt --package DIR --out DIR

An arm leaves DIR/predictions.csv (url, label; an empty label is a failure), or eoltag's own tables, and
DIR/work.json: seconds from the first request to the last label where the arm can tell them from its start-up, and the
versions and settings it ran with.
"""

import argparse
import csv
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

PREDICTIONS_FILE: Final = "predictions.csv"
WORK_FILE: Final = "work.json"
BATCH: Final = 32
CONNECTIONS: Final = 32
"""Requests in flight, where a peer leaves that to its user: what eoltag has on two cores."""
CORES: Final = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every arm takes."""
    new = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    new.add_argument("--urls", type=Path, required=True, help="text file, one URL a line")
    new.add_argument("--package", type=Path, required=True, help="model package")
    new.add_argument("--out", type=Path, required=True, help="folder for predictions and work.json")
    return new


@dataclass(frozen=True, slots=True)
class Job:
    """What an arm works on."""

    urls: list[str]
    package: Path
    out: Path
    labels: list[str]
    side_px: int
    """Width and height of the model's input."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Versions and settings, for the record."""

    @property
    def keras_file(self) -> Path:
        """The weights that all arms share."""
        return self.package / "model.keras"

    def write(self, labels: Iterable[tuple[str, str | None]]) -> None:
        """predictions.csv from (URL, label or None)."""
        with (self.out / PREDICTIONS_FILE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("url", "label"))
            writer.writerows((url, label or "") for url, label in labels)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Times the block as the work proper and writes work.json."""
        started = time.monotonic()
        yield
        self.write_work(work_s=time.monotonic() - started)

    def write_work(self, **seconds: float | None) -> None:
        """work.json with those figures, the versions and the settings. work_s is None where nothing can tell it."""
        (self.out / WORK_FILE).write_text(json.dumps({**seconds, **self.notes}, indent=2) + "\n", encoding="utf-8")


def read_job(options: argparse.Namespace, *distributions: str, **settings: object) -> Job:
    """The job of a command line. distributions: whose versions go to work.json; settings: go there as they are."""
    card = json.loads((options.package / "card.json").read_text(encoding="utf-8"))
    options.out.mkdir(parents=True, exist_ok=True)
    return Job(
        urls=options.urls.read_text(encoding="utf-8").split(),
        package=options.package,
        out=options.out,
        labels=card["labels"],
        side_px=card["input"]["width"],
        notes={"versions": {name: _version(name) for name in distributions}, "settings": settings},
    )


def read_labels(out: Path) -> Mapping[str, str]:
    """URL -> label of everything that succeeded, from whatever the arm left."""
    if (out / PREDICTIONS_FILE).is_file():
        with (out / PREDICTIONS_FILE).open(newline="", encoding="utf-8") as file:
            return {row["url"]: row["label"] for row in csv.DictReader(file) if row["label"]}
    import duckdb

    with duckdb.connect() as connection:
        connection.execute((out / "views.duckdb.sql").read_text(encoding="utf-8"))
        return dict(connection.execute("SELECT eolMediaURL, label FROM predictions WHERE outcome = 'ok'").fetchall())


def taken_up(images: Path) -> tuple[float, float]:
    """When eoltag's workers took up the first and the last image, in seconds since 1970."""
    import duckdb

    asked = f"SELECT epoch(min(asked_at)), epoch(max(asked_at)) FROM read_parquet('{images}/*.parquet')"
    first, last = duckdb.execute(asked).fetchall()[0]
    return float(first), float(last)


def warm_s(output: Path) -> float:
    """Seconds from the first image that a worker took up to the moment when the last file of its wave was whole."""
    images = output / "images"  # the table that a wave commits last
    first_s, _ = taken_up(images)
    return max(file.stat().st_mtime for file in images.glob("part-*.parquet")) - first_s


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

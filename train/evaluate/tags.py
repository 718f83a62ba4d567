"""How right the *tags* of an output are, rules and all: held against a table in which people say what each image is."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from eoltag.errors import DataError
from train.evaluate.metrics import wilson_interval

URL_COLUMNS: Final = ("eolMediaURL", "url", "image_url", "mediaURL", "obj_url", "object_url")
TAG_COLUMNS: Final = ("tag", "label", "class")
LEVEL: Final = 0.95
"""Level of the confidence intervals."""


@dataclass(frozen=True, slots=True)
class TagEvaluation:
    """Tags and truth of every labelled image that the output holds."""

    output: Path
    task: str
    pairs: tuple[tuple[str, str], ...]
    """(what people say, the tag) of each image that was read."""
    failed: int
    """Labelled images that could not be read, and have no tag."""
    absent: int
    """Labelled images that the output does not hold."""

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        hits = sum(truth == tag for truth, tag in self.pairs)
        low, high = wilson_interval(hits, len(self.pairs), LEVEL)
        return {
            "output": str(self.output),
            "task": self.task,
            "images": {"labelled": len(self.pairs), "failed": self.failed, "not_in_output": self.absent},
            "accuracy": hits / len(self.pairs) if self.pairs else None,
            "accuracy_interval": [low, high] if self.pairs else None,
            "per_tag": {tag: self._measures(tag) for tag in sorted({tag for pair in self.pairs for tag in pair})},
        }

    def _measures(self, tag: str) -> dict[str, Any]:
        """Shares of nothing are None."""
        right = sum(pair == (tag, tag) for pair in self.pairs)
        counts = Counter(at for pair in self.pairs for at, name in enumerate(pair) if name == tag)
        truly, tagged = counts[0], counts[1]
        return {
            "tagged": tagged,
            "labelled": truly,
            "right": right,
            "precision": right / tagged if tagged else None,
            "precision_interval": list(wilson_interval(right, tagged, LEVEL)) if tagged else None,
            "recall": right / truly if truly else None,
            "recall_interval": list(wilson_interval(right, truly, LEVEL)) if truly else None,
        }


def evaluate_tags(output: Path, table: Path, task: str | None) -> TagEvaluation:
    """Hold the tags of a task against a labelled table. task: None where the output has one. Raises DataError."""
    name = _task(output, task)
    truth, tags = _truth(table), _tags(output / "tags" / f"task={name}")
    known = {url: tags[url] for url in truth if url in tags}
    if not known:
        raise DataError(f"{table}: none of its {len(truth)} images is in the tags of task '{name}' in {output}")
    pairs = tuple((truth[url], tag) for url, tag in known.items() if tag is not None)
    return TagEvaluation(output, name, pairs, failed=len(known) - len(pairs), absent=len(truth) - len(known))


def _task(output: Path, asked: str | None) -> str:
    """Raises DataError."""
    names = sorted(folder.name.removeprefix("task=") for folder in (output / "tags").glob("task=*"))
    if not names:
        raise DataError(f"--tags {output}: wanted the output directory of jobs/tag_bundles.py. Received: no tags there")
    if asked is None and len(names) > 1:
        raise DataError(f"--tags {output}: holds the tags of {', '.join(names)}; wanted --task with one of them")
    if asked is not None and asked not in names:
        raise DataError(f"--task: {output} has no tags of '{asked}'; there: {', '.join(names)}")
    return asked or names[0]


def _tags(folder: Path) -> dict[str, str | None]:
    """URL -> tag; None where the image could not be read. A URL in several bundles has one tag."""
    try:
        table = pq.read_table(folder, columns=["eolMediaURL", "tag"], partitioning=None)
    except (OSError, pa.ArrowException) as problem:
        raise DataError(f"{folder}: cannot be read as a table of tags ({str(problem).splitlines()[0]})") from problem
    return dict(zip(table["eolMediaURL"].to_pylist(), table["tag"].to_pylist(), strict=True))


def _truth(table: Path) -> dict[str, str]:
    """URL -> what people say it is. Raises DataError."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter="\t" if "\t" in first else ",")
            header = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
            url, tag = (_column(table, header, names) for names in (URL_COLUMNS, TAG_COLUMNS))
            found = {(row[url] or "").strip(): (row[tag] or "").strip() for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise DataError(f"--labels {table}: cannot be read as a table ({problem})") from problem
    found = {url: tag for url, tag in found.items() if url and tag}
    if not found:
        raise DataError(f"--labels {table}: wanted rows with a URL and a tag. Received: none")
    return found


def _column(table: Path, header: dict[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        if name.lower() in header:
            return header[name.lower()]
    raise DataError(f"--labels {table}: wanted a column {' or '.join(names)}. Received: {', '.join(header) or 'none'}")

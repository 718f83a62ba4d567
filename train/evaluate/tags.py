"""How right the *tags* of an output are, rules and all: held against a table in which people say what each image is."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from eoltag.errors import DataError
from eoltag.judgements.task_tags import TaskTags, read_task_tags
from eoltag.records import each_tag, parted
from train.data.label_table import ALL_OTHERS
from train.evaluate.metrics import wilson_interval

URL_COLUMNS: Final = ("eolMediaURL", "url", "image_url", "mediaURL", "obj_url", "object_url")
TAG_COLUMNS: Final = ("tag", "label", "class")
LEVEL: Final = 0.95
"""Level of the confidence intervals."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What people say of one image."""

    present: frozenset[str]
    """The tags that are right."""
    absent: frozenset[str] | None = None
    """Those that are known to be wrong; None for all others."""

    def shows(self, tag: str) -> bool | None:
        """Whether this tag is right; None where nobody has said."""
        if tag in self.present:
            return True
        return False if self.absent is None or tag in self.absent else None


@dataclass(frozen=True, slots=True)
class TagEvaluation:
    """Tags and truth of every labelled image that the output holds. An image with several tags counts for each."""

    output: Path
    task: str
    pairs: tuple[tuple[Truth, frozenset[str]], ...]
    """(what people say, the tags) of each image that was read."""
    failed: int
    """Labelled images that could not be read, and have no tag."""
    absent: int
    """Labelled images that the output does not hold."""

    def document(self) -> dict[str, Any]:
        """Plain JSON values. accuracy: the share of images of which no tag is wrong, and none is missing."""
        hits = sum(truth.present <= tags and all(map(_is_possible(truth), tags)) for truth, tags in self.pairs)
        low, high = wilson_interval(hits, len(self.pairs), LEVEL)
        named = {tag for truth, tags in self.pairs for tag in (*truth.present, *tags)}
        return {
            "output": str(self.output),
            "task": self.task,
            "images": {"labelled": len(self.pairs), "failed": self.failed, "not_in_output": self.absent},
            "accuracy": hits / len(self.pairs) if self.pairs else None,
            "accuracy_interval": [low, high] if self.pairs else None,
            "per_tag": {tag: self._measures(tag) for tag in sorted(named)},
        }

    def _measures(self, tag: str) -> dict[str, Any]:
        """Over the images of which it is known whether they show the tag. Shares of nothing are None."""
        answers = [(truth.shows(tag), tag in tags) for truth, tags in self.pairs if truth.shows(tag) is not None]
        right = sum(shows and is_tagged for shows, is_tagged in answers if shows is not None)
        truly, tagged = (sum(bool(answer[at]) for answer in answers) for at in range(2))
        return {
            "tagged": tagged,
            "labelled": truly,
            "right": right,
            "precision": right / tagged if tagged else None,
            "precision_interval": list(wilson_interval(right, tagged, LEVEL)) if tagged else None,
            "recall": right / truly if truly else None,
            "recall_interval": list(wilson_interval(right, truly, LEVEL)) if truly else None,
        }


def _is_possible(truth: Truth) -> Callable[[str], bool]:
    return lambda tag: truth.shows(tag) is not False


def evaluate_tags(output: Path, table: Path, task: str | None) -> TagEvaluation:
    """Hold the tags of a task against a labelled table. task: None where the output has one. Raises DataError."""
    name = _task(output, task)
    kind = read_task_tags(output, name)
    truth, tags = _truth(table, kind), _tags(output / "tags" / f"task={name}", has_several=kind.has_several)
    known = {url: tags[url] for url in truth if url in tags}
    if not known:
        raise DataError(f"{table}: none of its {len(truth)} images is in the tags of task '{name}' in {output}")
    pairs = tuple((truth[url], frozenset(each)) for url, each in known.items() if each is not None)
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


def _tags(folder: Path, *, has_several: bool) -> dict[str, Sequence[str] | None]:
    """URL -> tags; None where the image could not be read. A URL in several bundles has the same ones."""
    try:
        table = pq.read_table(folder, columns=["eolMediaURL", "tag"], partitioning=None)
    except (OSError, pa.ArrowException) as problem:
        raise DataError(f"{folder}: cannot be read as a table of tags ({str(problem).splitlines()[0]})") from problem
    pairs = zip(table["eolMediaURL"].to_pylist(), table["tag"].to_pylist(), strict=True)
    return {url: None if tag is None else each_tag(tag, has_several=has_several) for url, tag in pairs}


def _truth(table: Path, kind: TaskTags) -> dict[str, Truth]:
    """URL -> what people say it is. Raises DataError."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter="\t" if "\t" in first else ",")
            header = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
            url = _column(table, header, URL_COLUMNS)
            if kind.has_several and "labels" in header:
                found = {(row[url] or "").strip(): _answers(row, header, kind) for row in reader}
            else:
                tag = _column(table, header, TAG_COLUMNS)
                said = {(row[url] or "").strip(): (row[tag] or "").strip() for row in reader}
                each = {url: each_tag(tag, has_several=kind.has_several) for url, tag in said.items() if tag}
                found = {url: Truth(frozenset(tags)) for url, tags in each.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise DataError(f"--labels {table}: cannot be read as a table ({problem})") from problem
    found = {url: truth for url, truth in found.items() if url and (truth.present or truth.absent)}
    if not found:
        raise DataError(f"--labels {table}: wanted rows with a URL and a tag. Received: none")
    return found


def _answers(row: dict[str, str], header: dict[str, str], kind: TaskTags) -> Truth:
    """A row of a table with the columns `labels` and `absent`, as `fit` takes it: what stands in neither is unknown."""
    present, absent = (frozenset(parted(row.get(header.get(name, ""), ""))) for name in ("labels", "absent"))
    if ALL_OTHERS in absent:
        return Truth(present or frozenset({kind.missing}))
    return Truth(present, absent)


def _column(table: Path, header: dict[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        if name.lower() in header:
            return header[name.lower()]
    raise DataError(f"--labels {table}: wanted a column {' or '.join(names)}. Received: {', '.join(header) or 'none'}")

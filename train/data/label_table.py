"""Labels of images as a CSV, which names each by its file, its URL, its identifier or the hash of its content.

An image has one label (column `label`), or several: `labels` holds those that it shows, `absent` those that it is known
not to show, both joined by `|`. Of a label that stands in neither nothing is known. `*` in `absent` means all others.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from eoltag.errors import DataError
from eoltag.records import JOINER, parted
from train.cli import log
from train.records import Split

Key = Literal["content_sha256", "eolMediaURL", "identifier", "path"]

KEY_OF: Final[dict[str, Key]] = {
    "content_sha256": "content_sha256",
    "eolMediaURL": "eolMediaURL",
    "url": "eolMediaURL",
    "identifier": "identifier",
}
"""Column of the CSV -> column of the tables that it is looked up in."""
FILE_KEYS: Final[dict[str, Key]] = {"path": "path", "eolMediaURL": "path", "url": "path"}
"""The same where the CSV names files or URLs of images, to be read themselves."""
ALL_OTHERS: Final = "*"
OF_IMAGES: Final = ("split", "judged", "group")
"""Columns that any table may have: see LabelledName."""


@dataclass(frozen=True, slots=True)
class LabelledName:
    """One line: an image by its name, and what it shows."""

    line: int
    name: str
    label: str
    """Of several labels: those that it shows, joined."""
    split: Split | None
    """None where the table does not split its images."""
    present: tuple[str, ...] = ()
    """Of several labels: those that it shows."""
    absent: tuple[str, ...] = ()
    """Likewise: those that it is known not to show."""
    is_judged: bool = False
    """A person said so of this very image: the column `judged` is not empty."""
    group: str | None = None
    """Images of one group never sit on two sides of a split."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """All lines of a table of labels."""

    path: Path
    key: Key
    """What the names are."""
    rows: tuple[LabelledName, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(sorted({label for row in self.rows for label in _labels_of(row)}))


def read_label_table(path: Path, *, has_several: bool = False) -> LabelTable:
    """The table in a CSV file, of images that tables hold, without a test split. has_several: labels an image.

    Raises DataError.
    """
    table = _read(path, KEY_OF, has_several=has_several)
    table = replace(table, rows=tuple(row for row in table.rows if row.split is not Split.TEST))
    return _checked(table)


def read_file_table(path: Path) -> LabelTable:
    """The table in a CSV file of files and URLs with several labels, the test split too. Raises DataError."""
    return _checked(_read(path, FILE_KEYS, has_several=True))


def merged(path: Path, lines: Sequence[LabelledName], what: str) -> LabelledName:
    """What several lines say of one image with several labels, as one.

    what: the image, for messages. Raises DataError where they contradict each other.
    """
    present = tuple(dict.fromkeys(label for line in lines for label in line.present))
    absent = tuple(dict.fromkeys(label for line in lines for label in line.absent))
    both = next((label for label in present if label in absent), None)
    if both is not None:
        yes, no = (next(line.line for line in lines if both in getattr(line, name)) for name in ("present", "absent"))
        raise DataError(
            f"{path}: lines {yes} and {no} say that '{both}' is there and absent in the same picture ({what})"
        )
    first = lines[0]
    if any(line.split != first.split for line in lines):
        raise DataError(
            f"{path}: lines {lines[0].line} and {lines[-1].line} put the same picture into two splits ({what})"
        )
    is_judged = any(line.is_judged for line in lines)
    return replace(first, label=JOINER.join(present), present=present, absent=absent, is_judged=is_judged)


def _labels_of(row: LabelledName) -> tuple[str, ...]:
    return (*row.present, *row.absent) or (row.label,)


def _read(path: Path, keys: Mapping[str, Key], *, has_several: bool) -> LabelTable:
    """Raises DataError, naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            column = _key_column(path, list(reader.fieldnames or ()), keys, has_several=has_several)
            read = _several_rows if has_several else _rows
            return LabelTable(path, keys[column], tuple(read(path, reader, column)))
    except OSError as problem:
        raise DataError(f"{path}: wanted a CSV file of labels ({problem.strerror})") from problem
    except (UnicodeDecodeError, csv.Error) as problem:
        raise DataError(f"{path}: cannot be read as CSV in UTF-8 ({problem})") from problem


def _checked(table: LabelTable) -> LabelTable:
    if len(table.labels) < 2:
        raise DataError(f"{table.path}: wanted two labels or more. Received: {', '.join(table.labels) or 'none'}")
    return table


def _key_column(path: Path, columns: list[str], keys: Mapping[str, Key], *, has_several: bool) -> str:
    """The column that names the images. Raises DataError for columns that are unknown, missing or one too many."""
    known = (*(("labels", "absent") if has_several else ("label",)), *OF_IMAGES, *keys)
    unknown = [column for column in columns if column not in known]
    if unknown:
        raise DataError(f"{path}: unknown column {unknown[0]!r}; known here: {', '.join(known)}")
    found = [column for column in columns if column in keys]
    if known[0] not in columns or len(found) != 1:
        raise DataError(
            f"{path}: wanted the column {known[0]} and one of {', '.join(keys)}. "
            f"Received: {', '.join(columns) or 'none'}"
        )
    return found[0]


def _rows(path: Path, reader: "csv.DictReader[str]", column: str) -> Iterator[LabelledName]:
    for row in _lines(path, reader):
        name, label = (_required(path, reader, row, key) for key in (column, "label"))
        found = LabelledName(reader.line_num, _name(name, column), label, _split(path, reader, row))
        yield replace(found, **_said_of_image(row))


def _several_rows(path: Path, reader: "csv.DictReader[str]", column: str) -> Iterator[LabelledName]:
    """Lines of which nothing is known are left out, and counted."""
    lines = [
        (reader.line_num, _name(_required(path, reader, row, column), column), _split(path, reader, row),
         _said_of_image(row), parted(row.get("labels", "")), parted(row.get("absent", "")))
        for row in _lines(path, reader)
    ]  # fmt: skip
    labels = sorted({label for *_, present, absent in lines for label in (*present, *absent) if label != ALL_OTHERS})
    silent = 0
    for line, name, split, more, present, absent in lines:
        if ALL_OTHERS in absent:
            absent = tuple(label for label in labels if label not in present)
        if not present and not absent:
            silent += 1
            continue
        said = LabelledName(line, name, JOINER.join(present), split, present, absent, **more)
        yield merged(path, [said], name)
    if silent:
        log(f"{path}: {silent:,} lines say nothing of any label and are left out")


def _lines(path: Path, reader: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    for row in reader:
        if None in row or None in row.values():
            raise DataError(f"{path}: line {reader.line_num}: wanted {len(reader.fieldnames or ())} fields")
        yield row


def _required(path: Path, reader: "csv.DictReader[str]", row: Mapping[str, str], key: str) -> str:
    value = row[key].strip()
    if not value:
        raise DataError(f"{path}: line {reader.line_num}: wanted a value in the column {key}. Received: none")
    return value


def _split(path: Path, reader: "csv.DictReader[str]", row: Mapping[str, str]) -> Split | None:
    word = row.get("split", "").strip()
    split = Split.named(word)
    if word and split is None:
        raise DataError(f"{path}: line {reader.line_num}: split: wanted train, validation or test. Received: {word!r}")
    return split


def _said_of_image(row: Mapping[str, str]) -> dict[str, Any]:
    return {"is_judged": bool(row.get("judged", "").strip()), "group": row.get("group", "").strip() or None}


def _name(name: str, column: str) -> str:
    return name.lower() if column == "content_sha256" else name

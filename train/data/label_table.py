"""Labels of images that lie elsewhere: a CSV that names each by its URL, its identifier or the hash of its content."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from eoltag.errors import DataError
from train.records import Split

Key = Literal["content_sha256", "eolMediaURL", "identifier"]

KEY_OF: Final[dict[str, Key]] = {
    "content_sha256": "content_sha256",
    "eolMediaURL": "eolMediaURL",
    "url": "eolMediaURL",
    "identifier": "identifier",
}
"""Column of the CSV -> column of the tables that it is looked up in."""
COLUMNS: Final = ("label", "split", "judged", "group", *KEY_OF)


@dataclass(frozen=True, slots=True)
class LabelledName:
    """One line: an image by its name, and what it shows."""

    line: int
    name: str
    label: str
    split: Split | None
    """None where the table does not split its images."""
    is_judged: bool = False
    """A person said so of this very image: the column `judged` is not empty."""
    group: str | None = None
    """Images of one group never sit on two sides of a split."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """All lines to train on or to validate with; those of a test split are left out."""

    path: Path
    key: Key
    """What the names are."""
    rows: tuple[LabelledName, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(sorted({row.label for row in self.rows}))


def read_label_table(path: Path) -> LabelTable:
    """The table in a CSV file. Raises DataError, naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            column = _key_column(path, list(reader.fieldnames or ()))
            rows = tuple(row for row in _rows(path, reader, column) if row.split is not Split.TEST)
    except OSError as problem:
        raise DataError(f"{path}: wanted a CSV file of labels ({problem.strerror})") from problem
    except (UnicodeDecodeError, csv.Error) as problem:
        raise DataError(f"{path}: cannot be read as CSV in UTF-8 ({problem})") from problem
    table = LabelTable(path, KEY_OF[column], rows)
    if len(table.labels) < 2:
        raise DataError(f"{path}: wanted two labels or more. Received: {', '.join(table.labels) or 'none'}")
    return table


def _key_column(path: Path, columns: list[str]) -> str:
    """The column that names the images. Raises DataError for columns that are unknown, missing or one too many."""
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise DataError(f"{path}: unknown column {unknown[0]!r}; known here: {', '.join(COLUMNS)}")
    keys = [column for column in columns if column in KEY_OF]
    if "label" not in columns or len(keys) != 1:
        raise DataError(
            f"{path}: wanted the column label and one of {', '.join(KEY_OF)}. Received: {', '.join(columns) or 'none'}"
        )
    return keys[0]


def _rows(path: Path, reader: "csv.DictReader[str]", column: str) -> Iterator[LabelledName]:
    for row in reader:
        if None in row or None in row.values():
            raise DataError(f"{path}: line {reader.line_num}: wanted {len(reader.fieldnames or ())} fields")
        name, label, word = (row.get(key, "").strip() for key in (column, "label", "split"))
        for key, value in ((column, name), ("label", label)):
            if not value:
                raise DataError(f"{path}: line {reader.line_num}: wanted a value in the column {key}. Received: none")
        split = Split.named(word)
        if word and split is None:
            raise DataError(
                f"{path}: line {reader.line_num}: split: wanted train, validation or test. Received: {word!r}"
            )
        name = name.lower() if column == "content_sha256" else name
        judged, group = (row.get(key, "").strip() for key in ("judged", "group"))
        yield LabelledName(reader.line_num, name, label, split, bool(judged), group or None)

"""The table of search terms that `collect` reads."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.records import Split

COLUMNS: Final = {
    "term": ("search_term",),
    "count": ("number_imgs",),
    "label": ("folder_name", "category"),
    "split": ("train_val", "set"),
}
"""Names that each column may have."""

MOST_IMAGES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TermQuota:
    """How many images of a term are wanted for a class of a split."""

    term: str
    count: int
    label: str
    split: Split

    @property
    def key(self) -> tuple[str, str, str]:
        """Term, class and split, without the count."""
        return self.term, self.label, self.split


def read_terms(path: Path) -> list[TermQuota]:
    """Every row, in order; rows for the same thing are added up. UTF-8 or Latin-1. Raises DataError."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise DataError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    reader = csv.DictReader(io.StringIO(text), restval="", skipinitialspace=True)
    try:
        header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        places = {meaning: _place(header, names, path) for meaning, names in COLUMNS.items()}
        reader.fieldnames = header
        quotas = _added_up(
            _quota(path, reader.line_num, [(row[places[meaning]] or "").strip() for meaning in COLUMNS])
            for row in reader
            if any(isinstance(cell, str) and cell.strip() for cell in row.values())
        )
    except csv.Error as problem:
        raise DataError(f"{path}, line {reader.line_num}: not valid CSV ({problem})") from problem
    if not quotas:
        raise DataError(f"{path}: wanted rows with a search term each. Received: only the header")
    return quotas


def _place(header: list[str], names: tuple[str, ...], path: Path) -> str:
    found = next((name for name in names if name in header), None)
    if found is None:
        raise DataError(
            f"{path}: wanted the columns search_term, number_imgs, folder_name (or category) and train_val (or set); "
            f"there is no {' or '.join(names)}. Received: {', '.join(filter(None, header)) or 'no header'}"
        )
    return found


def _quota(path: Path, line: int, cells: list[str]) -> TermQuota:
    term, count, label, set_name = cells
    where = f"{path}, line {line}"
    if not term:
        raise DataError(f"{where}: wanted a search term. Received: an empty cell")
    if not (count.isascii() and count.isdecimal() and 1 <= int(count) <= MOST_IMAGES):
        raise DataError(f"{where}: number_imgs: wanted 1 to {MOST_IMAGES}. Received: {count!r}")
    if not label or label.startswith(".") or any(sign in label for sign in "/\\\0") or not label.isprintable():
        raise DataError(f"{where}: wanted a folder name without '/', '\\' or a dot in front. Received: {label!r}")
    split = Split.named(set_name)
    if split is None:
        raise DataError(f"{where}: wanted one of {', '.join(Split)}. Received: {set_name!r}")
    return TermQuota(term, int(count), label, split)


def _added_up(quotas: Iterable[TermQuota]) -> list[TermQuota]:
    sums: dict[tuple[str, str, str], TermQuota] = {}
    for quota in quotas:
        known = sums.get(quota.key)
        count = quota.count + (known.count if known else 0)
        sums[quota.key] = TermQuota(quota.term, count, quota.label, quota.split)
    return list(sums.values())

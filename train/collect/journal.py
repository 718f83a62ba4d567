"""Journal of `collect`: a line for every image so far, kept or not, so that a stopped run can be continued."""

import fcntl
import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from PIL import Image

from eoltag.errors import DataError, ImageError
from eoltag.image.decode import FORMATS
from eoltag.records import InputSpec, Outcome
from train.collect.search_terms import TermQuota
from train.images.decoding import decode_bytes
from train.images.files import SUFFIXES, write_whole
from train.images.manifest import FILE_NAME, write_manifest
from train.records import ManifestRow

JOURNAL: Final = "collected.jsonl"
DUPLICATE: Final = "duplicate"
REMOVED: Final = "removed"
"""Outcome of an image whose file was deleted since: another image takes its place."""

_CHECK: Final = InputSpec(32, 32, "stretch", "box")


class Collection:
    """The folder that images are collected in. Raises DataError where it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = folder / JOURNAL
        self._rows: dict[str, ManifestRow] = {}
        self._kept: Counter[tuple[str, str, str]] = Counter()
        self._last: Counter[tuple[str, str]] = Counter()
        self._hashes: set[str] = set()
        self._pages: set[str] = set()
        self._lock: IO[bytes] | None = None
        try:
            self._open()
        except DataError:
            self.close()
            raise

    def close(self) -> None:
        """Releases the lock of the folder."""
        if self._lock is not None:
            self._lock.close()

    @property
    def rows(self) -> list[ManifestRow]:
        """All rows: kept images by path, then the others by URL."""
        return sorted(self._rows.values(), key=lambda row: (row.path is None, row.path or "", row.source_url or ""))

    def missing(self, quota: TermQuota) -> int:
        """How many images the quota still lacks."""
        return max(0, quota.count - self._kept[quota.key])

    def is_settled(self, url: str, page: str | None) -> bool:
        """The image was kept or never can be, or another of its page was kept: no observation is in two sets."""
        row = self._rows.get(url)
        if row is not None and (row.outcome in (DUPLICATE, REMOVED) or Outcome(row.outcome).is_final):
            return True
        return page is not None and page in self._pages

    def keep(self, quota: TermQuota, data: bytes, row: ManifestRow) -> ManifestRow:
        """The image as a file of the quota's class, or the reason why it cannot be one, noted down."""
        digest = hashlib.sha256(data).hexdigest()
        if digest in self._hashes:
            return self.note(quota, row, DUPLICATE, "the same bytes as an image that was kept before")
        try:
            decoded = decode_bytes(data, [_CHECK])
        except ImageError as problem:
            return self.note(quota, row, str(problem.outcome), problem.detail)
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            suffix = SUFFIXES[image.format or ""][0]
        number = self._last[quota.split, quota.label] + 1
        path = f"{quota.split}/{quota.label}/{quota.label}_{number:05d}.{suffix}"
        write_whole(self.folder / path, data)
        kept = replace(
            row,
            path=path,
            label=quota.label,
            split=quota.split,
            sha256=digest,
            perceptual_hash=decoded.perceptual_hash,
            width=decoded.width,
            height=decoded.height,
            color_mode=decoded.color_mode,
        )
        return self._add(quota, kept)

    def note(self, quota: TermQuota, row: ManifestRow, outcome: str, detail: str | None) -> ManifestRow:
        """Notes an image that is not kept, with the reason."""
        return self._add(quota, replace(row, label=quota.label, split=quota.split, outcome=outcome, detail=detail))

    def write_manifest(self) -> None:
        """Writes manifest.parquet from all rows."""
        write_manifest(self.folder / FILE_NAME, self.rows)

    def _open(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise DataError(f"--out {self.folder}: wanted a folder, found a file")
        if self.folder.is_dir() and any(self.folder.iterdir()) and not self._journal.is_file():
            raise DataError(f"--out {self.folder}: holds other files already; wanted a new folder or one of collect")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._journal)
            text = self._journal.read_text(encoding="utf-8", errors="replace") if self._journal.is_file() else ""
            if text and not text.endswith("\n"):  # a kill cut the last line: what it was about is asked again
                text = text[: text.rfind("\n") + 1]
                self._journal.write_text(text, encoding="utf-8")
        except OSError as problem:
            raise DataError(f"--out {self.folder}: cannot be used ({problem.strerror or problem})") from problem
        for number, line in enumerate(text.splitlines(), 1):
            try:
                entry = json.loads(line)
                self._remember((entry["term"], entry["label"], entry["split"]), ManifestRow(**entry["row"]))
            except (ValueError, KeyError, TypeError) as problem:
                raise DataError(f"{self._journal}, line {number}: not what collect writes ({problem})") from problem

    def _add(self, quota: TermQuota, row: ManifestRow) -> ManifestRow:
        entry = {"term": quota.term, "label": quota.label, "split": quota.split, "row": asdict(row)}
        try:
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(entry, ensure_ascii=False) + "\n")
        except OSError as problem:
            raise DataError(f"{self._journal}: cannot be written ({problem.strerror or problem})") from problem
        self._remember(quota.key, row)
        return row

    def _remember(self, key: tuple[str, str, str], row: ManifestRow) -> None:
        self._rows[row.source_url or ""] = row
        if row.path is None:
            return
        if (self.folder / row.path).is_file():
            self._kept[key] += 1
        else:
            self._rows[row.source_url or ""] = replace(row, path=None, outcome=REMOVED, detail=f"{row.path} is gone")
        self._hashes.add(row.sha256 or "")
        if row.page is not None:
            self._pages.add(row.page)
        place = str(row.split), row.label
        self._last[place] = max(self._last[place], int(Path(row.path).stem.rpartition("_")[2]))


def _locked(journal: Path) -> IO[bytes]:
    """The journal, open until somebody closes it or the process ends; no other process has it. Raises DataError."""
    file = journal.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        file.close()
        raise DataError(f"--out {journal.parent}: another collect is at work there; wait for it to end") from problem
    return file

"""`classify --output`: images of this machine into the tables that the Spark job writes, resumed where it stopped."""

import json
import os
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from eoltag.errors import DataError, ImageError
from eoltag.local import files as local_files
from eoltag.model.package import Package
from eoltag.model.record import ModelRecord
from eoltag.records import Outcome, Pixels
from eoltag.views.write import write_views
from train.evaluate.classify import BATCH, EngineChoice, load, scored
from train.evaluate.shown import joined, shown_labels
from train.images.answers import NOTHING
from train.images.decoding import decode_ahead, decode_bytes
from train.images.files import read_image_file
from train.images.sources import ImageSource

_TIME: Final = pa.timestamp("us", tz="UTC")
IMAGES: Final = pa.schema(
    {
        "eolMediaURL": pa.string(),
        "dataObjectVersionID": pa.string(),
        "outcome": pa.string(),
        "detail": pa.string(),
        "http_status": pa.int32(),
        "attempts": pa.int32(),
        "etag": pa.string(),
        "last_modified": pa.string(),
        "content_sha256": pa.string(),
        "bytes": pa.int64(),
        "width": pa.int32(),
        "height": pa.int32(),
        "color_mode": pa.string(),
        "perceptual_hash": pa.string(),
        "rendition": pa.string(),
        "asked_at": _TIME,
        "run_id": pa.string(),
    }
)
"""As the Spark job's. eolMediaURL: the absolute path of the file. last_modified: when it was last written."""
SCORES: Final = pa.schema(
    {
        "content_sha256": pa.string(),
        "engine": pa.string(),
        "precision": pa.string(),
        "source": pa.string(),
        "scores": pa.list_(pa.float32()),
        "scored_at": _TIME,
        "run_id": pa.string(),
    }
)
"""As the Spark job's, in the folder model_version=V."""
SCHEMA_VERSION: Final = 2
PREDICTIONS: Final = "predictions.tsv"
ONE_OF_MANY: Final = ("label", "confidence", "logit")
"""Columns of PREDICTIONS of a model that gives one label."""

IMAGES_PER_PART: Final = 2_000
SECONDS_PER_PART: Final = 60.0
"""What a kill costs at most: so many images or seconds are written at a time."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a run over local images did."""

    output: str
    images: int
    """Of all that were asked for."""
    classified: int
    """Read in this run."""
    known: int
    """Answered by an earlier run."""
    failed: dict[str, int]
    """Outcome -> images that could not be read, among all."""
    labels: dict[str, int]
    """Label -> images, the most frequent first; of several labels those that show it, and `none`."""
    predictions: str
    """A table of all, a line an image."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The latest row of a file."""

    bytes: int | None
    last_modified: str | None
    outcome: str
    content: str | None
    detail: str | None

    def is_of(self, path: Path) -> bool:
        """The file is as it was then, as far as its size and time say."""
        try:
            found = path.stat()
        except OSError:
            return False
        return (self.bytes, self.last_modified) == (found.st_size, _moment(found))


@dataclass(slots=True)
class _Part:
    """Rows that are not written yet."""

    images: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    begun_at: float = field(default_factory=time.monotonic)

    @property
    def is_full(self) -> bool:
        """It is time to write."""
        return len(self.images) >= IMAGES_PER_PART or time.monotonic() - self.begun_at > SECONDS_PER_PART


def classify_into(output: Path, package: Package, sources: Sequence[ImageSource], engine: EngineChoice) -> Stored:
    """Classify every local image that the tables in `output` do not answer yet, and write PREDICTIONS of all of them.

    A file counts as known while its size and its time of writing stay. Raises DataError.
    """
    _check(output, sources)
    places = {str(Path(source.path).absolute()): source for source in sources}
    known, has_scores = _known(output), _scored(output, package.version)
    to_do = [path for path in places if not _is_answered(path, known.get(path), has_scores)]
    read = 0
    if to_do:
        _begin(output, package)
        read = _work(output, package, [(path, places[path].is_found) for path in to_do], has_scores, known, engine)
    return _finish(output, package, list(places), read, len(places) - len(to_do))


def _check(output: Path, sources: Sequence[ImageSource]) -> None:
    url = next((source.path for source in sources if source.is_url), None)
    if url is not None:
        raise DataError(f"--output: wanted files and folders of this machine. Received: {url}; for URLs: eoltag tag")
    if (output / "runs").is_dir():
        raise DataError(f"--output {output}: wanted a directory of its own. Received: one of the Spark job")
    if output.exists() and not output.is_dir():
        raise DataError(f"--output {output}: wanted a directory. Received: a file")


def _is_answered(path: str, known: _Known | None, has_scores: set[str]) -> bool:
    if known is None or not known.is_of(Path(path)):
        return False
    return known.outcome != Outcome.OK or known.content in has_scores


def _begin(output: Path, package: Package) -> None:
    """The version of the tables, and what the numbers of the model mean."""
    local_files.write_text(str(output / "_schema.json"), json.dumps({"schema_version": SCHEMA_VERSION}) + "\n")
    record = ModelRecord.of(package.version, package.card)
    local_files.write_text(str(output / "models" / f"{package.version}.json"), record.as_json())


def _work(
    output: Path,
    package: Package,
    to_do: list[tuple[str, bool]],
    has_scores: set[str],
    known: dict[str, _Known],
    choice: EngineChoice,
) -> int:
    """Read, score and write, a part at a time; returns how many images were read."""
    model, run, read, part = load(package, choice), _run_id(), 0, _Part()
    engine, _, precision = model.name.partition("-")
    files = decode_ahead(to_do, lambda item: _read(item[0], package, run), len(to_do), "classifying", BATCH)
    for (path, is_found), found, logits in scored(model, files, lambda found: found[1]):
        assert not isinstance(found, ImageError), "is part of the row"
        row = found[0]
        if is_found and row["outcome"] == Outcome.NOT_IMAGE:
            continue  # lay beside images, and nobody asked for it
        read += 1
        before = known.get(path)
        if before is None or (before.content, before.last_modified) != (row["content_sha256"], row["last_modified"]):
            part.images.append(row)
        if logits is not None and row["content_sha256"] not in has_scores:
            has_scores.add(row["content_sha256"])
            said = {"engine": engine, "precision": precision, "source": "fetch", "scored_at": datetime.now(UTC)}
            part.scores.append({"content_sha256": row["content_sha256"], **said, "scores": logits, "run_id": run})
        if part.is_full:
            _write(output, package, run, read, part)
            part = _Part()
    _write(output, package, run, read, part)
    return read


def _read(path: str, package: Package, run: str) -> tuple[dict[str, Any], Pixels | None]:
    """A row of IMAGES, where what it does not name is NULL, and what the model takes; None for what is no image."""
    row: dict[str, Any] = dict.fromkeys(IMAGES.names)
    row |= {"eolMediaURL": path, "attempts": 1, "asked_at": datetime.now(UTC), "run_id": run}
    try:
        data = read_image_file(Path(path))
        row |= {
            "last_modified": _moment(Path(path).stat()),
            "content_sha256": sha256(data).hexdigest(),
            "bytes": len(data),
        }
        found = decode_bytes(data, [package.card.spec])
    except ImageError as problem:
        return row | {"outcome": str(problem.outcome), "detail": problem.detail}, None
    shape = {name: getattr(found, name) for name in ("width", "height", "color_mode", "perceptual_hash")}
    return row | {"outcome": str(Outcome.OK), **shape}, found.pixels[0]


def _write(output: Path, package: Package, run: str, number: int, part: _Part) -> None:
    """The scores first: an image is answered when all that it gave is there."""
    name = f"part-{run}-{number}.parquet"
    _append(output / "scores" / f"model_version={package.version}" / name, part.scores, SCORES)
    _append(output / "images" / name, part.images, IMAGES)


def _append(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    if rows:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(f".{path.name}.tmp")
        pq.write_table(pa.Table.from_pylist(rows, schema), staged, compression="zstd")
        staged.replace(path)


def _finish(output: Path, package: Package, paths: list[str], read: int, known: int) -> Stored:
    """PREDICTIONS of these paths, the views, and the counts."""
    latest, scores, columns = _known(output), _logits(output, package), _columns(package)
    failed: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    staged = output / f".{PREDICTIONS}.tmp"
    output.mkdir(parents=True, exist_ok=True)
    rows = 0
    with staged.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(_line("path", *columns, "outcome", "detail"))
        for path in paths:
            if path not in latest:
                continue
            now = latest[path]
            cells = [""] * len(columns)
            if now.content in scores:
                said, cells = _cells(package, scores[now.content])
                labels.update(said)
            else:
                failed[now.outcome] += 1
            stream.write(_line(path, *cells, now.outcome, now.detail or ""))
            rows += 1
    target = output / PREDICTIONS
    staged.replace(target)
    if latest:
        write_views(str(output))
    return Stored(str(output), rows, read, known, dict(failed), dict(labels.most_common()), str(target))


def _columns(package: Package) -> tuple[str, ...]:
    """The columns of PREDICTIONS between path and outcome."""
    if package.card.output_kind == "labels":
        return ("labels", *(f"score_{label}" for label in package.card.labels))
    return ONE_OF_MANY


def _cells(package: Package, logits: Any) -> tuple[Sequence[str], list[str]]:
    """What an image counts as, and its cells of these columns. logits: (C,)."""
    (verdict,) = package.card.verdicts(logits[np.newaxis])
    shown = shown_labels(package.card, logits)
    if shown is None:
        return [verdict.label], [verdict.label, f"{verdict.confidence:.6f}", f"{verdict.logit:.4f}"]
    return shown or [NOTHING], [joined(shown), *(f"{score:.6f}" for score in verdict.scores.values())]


def _line(*cells: str) -> str:
    return "\t".join(" ".join(cell.split()) for cell in cells) + "\n"


def _known(output: Path) -> dict[str, _Known]:
    """Absolute path -> the latest row."""
    table = _table(output / "images", ("eolMediaURL", "bytes", "last_modified", "outcome", "content_sha256", "detail"))
    return {path: _Known(*cells) for path, *cells in zip(*table, strict=True)}


def _scored(output: Path, version: str) -> set[str]:
    """The contents that the model has scored."""
    return set(*_table(output / "scores" / f"model_version={version}", ("content_sha256",)))


def _logits(output: Path, package: Package) -> dict[str | None, Any]:
    """Content -> (C,) float32."""
    folder = output / "scores" / f"model_version={package.version}"
    contents, scores = _table(folder, ("content_sha256", "scores"))
    return {content: np.array(vector, np.float32) for content, vector in zip(contents, scores, strict=True)}


def _table(folder: Path, columns: Sequence[str]) -> list[list[Any]]:
    """The columns of all parts in the order in which they were written; empty ones where there is none."""
    parts = sorted(folder.glob("part-*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    if not parts:
        return [[] for _ in columns]
    read = ds.dataset([str(part) for part in parts], format="parquet").to_table(columns=list(columns))
    return [read[name].to_pylist() for name in columns]


def _moment(found: os.stat_result) -> str:
    return datetime.fromtimestamp(found.st_mtime_ns / 1e9, UTC).isoformat()


def _run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"[:-3] + f"Z-{secrets.token_hex(4)}"

"""The images of one audit: drawn from a publication, written down before anybody judges them."""

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from eoltag.audit.agreement import agreements
from eoltag.audit.draw import allocate, draw
from eoltag.errors import DataError, OutputError
from eoltag.local import files
from eoltag.publish.manifest import CURRENT_FILE, MANIFEST_FILE, Current, Manifest
from eoltag.publish.manifest import FOLDER as PUBLISHED
from eoltag.records import Outcome

FOLDER: Final = "audits"
_COLUMNS: Final = ("bundle", "bundle_row", "eolMediaURL", "ancestry", "tag", "confidence", "outcome", "rule")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One image of an audit."""

    url: str
    content_sha256: str
    tag: str
    confidence: float | None
    bundle: str
    bundle_row: int
    ancestry: str | None
    color_mode: str | None
    rule: str | None = None
    """The rule that gave the tag; `person` where people did."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An audit as it was drawn."""

    id: str
    task: str
    publication: str
    models: dict[str, str]
    """Name -> version."""
    seed: int
    drawn_at: str
    rows: dict[str, int]
    """Tag -> published rows with it."""
    missing: str = ""
    """The tag of images that no rule tags: it claims nothing, so that it has no precision."""
    images: list[Drawn] = field(default_factory=list)
    agreement: list[dict[str, Any]] = field(default_factory=list)
    """Of each two models over all published rows: `models`, `images`, `same`."""

    @property
    def reason(self) -> str:
        """What judgements of these images say of how they came to be shown."""
        return f"audit {self.id}"


def read_publication(output: Path) -> Manifest:
    """The current publication of an output directory. Raises OutputError."""
    try:
        current = Current.from_json(files.read_text(str(output / PUBLISHED / CURRENT_FILE)))
        return Manifest.from_json(files.read_text(str(output / PUBLISHED / current.version / MANIFEST_FILE)))
    except (OSError, ValueError) as problem:
        raise OutputError(
            f"{output}: wanted an output with a publication; run eoltag publish first ({problem})"
        ) from problem


def draw_sample(output: Path, task: str, images: int, seed: int) -> Sample:
    """Draw images of a task from the current publication and write them down. Raises OutputError, DataError."""
    manifest = read_publication(output)
    if task not in manifest.tasks:
        raise DataError(
            f"--task: publication {manifest.version} has no task '{task}'; it has {', '.join(manifest.tasks)}"
        )
    folder = output / PUBLISHED / manifest.version / "tags" / f"task={task}"
    read = ds.dataset(folder, format="parquet")
    table = read.to_table(columns=list(_COLUMNS), filter=ds.field("outcome") == Outcome.OK.value)
    tags = table["tag"].to_pylist()
    rows = dict(sorted(Counter(tags).items()))
    if not rows:
        raise DataError(f"{folder}: no image of task '{task}' was read, so there is nothing to audit")
    places = draw(tags, allocate(rows, images), seed)
    taken = table.take(places).to_pylist()
    contents = _contents(output, [row["eolMediaURL"] for row in taken])
    drawn = [_drawn(row, contents) for row in taken if row["eolMediaURL"] in contents]
    now = datetime.now(UTC)
    sample = Sample(
        f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}", task, manifest.version, manifest.tasks[task].models, seed,
        now.isoformat(), rows, str(manifest.tasks[task].content["missing"]), drawn,
        [asdict(one) for one in agreements(read, list(manifest.tasks[task].models))],
    )  # fmt: skip
    files.write_text(str(output / FOLDER / f"{sample.id}.json"), json.dumps(asdict(sample), indent=1) + "\n")
    return sample


def read_samples(output: Path, task: str | None = None) -> list[Sample]:
    """The audits of an output, of one task or all, oldest first. Raises OutputError."""
    found = []
    for path in sorted((output / FOLDER).glob("*.json")):
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found.append(Sample(**{**document, "images": [Drawn(**one) for one in document["images"]]}))
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise OutputError(f"{path}: cannot be read as an audit ({problem})") from problem
    return [one for one in found if task in (None, one.task)]


def find_sample(output: Path, audit: str) -> Sample:
    """An audit by its ID. Raises DataError."""
    samples = {sample.id: sample for sample in read_samples(output)}
    if audit not in samples:
        raise DataError(f"--audit: no audit '{audit}' in {output}; known: {', '.join(samples) or 'none'}")
    return samples[audit]


def _drawn(row: Mapping[str, Any], contents: Mapping[str, tuple[str, str | None]]) -> Drawn:
    content, color_mode = contents[row["eolMediaURL"]]
    said = {name: row[name] for name in ("tag", "confidence", "bundle", "bundle_row", "ancestry", "rule")}
    return Drawn(url=row["eolMediaURL"], content_sha256=content, color_mode=color_mode, **said)


def _contents(output: Path, urls: list[str]) -> dict[str, tuple[str, str | None]]:
    """URL -> the hash of its latest content, and its colour mode."""
    wanted = ds.field("eolMediaURL").isin(urls) & (ds.field("outcome") == Outcome.OK.value)
    table: pa.Table = ds.dataset(output / "images", format="parquet").to_table(
        columns=["eolMediaURL", "content_sha256", "color_mode", "asked_at"], filter=wanted
    )
    order = pc.sort_indices(table, sort_keys=[("asked_at", "ascending")])
    return {row["eolMediaURL"]: (row["content_sha256"], row["color_mode"]) for row in table.take(order).to_pylist()}

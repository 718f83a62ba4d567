"""The images of one audit: drawn from a publication, written down before anybody judges them."""

import json
import secrets
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from eoltag.audit.agreement import agreements
from eoltag.audit.draw import draw_images, rates_of, strata_of, stratum_of
from eoltag.errors import DataError, OutputError
from eoltag.local import files
from eoltag.publish.manifest import CURRENT_FILE, MANIFEST_FILE, Current, Manifest
from eoltag.publish.manifest import FOLDER as PUBLISHED
from eoltag.records import Outcome, parted

FOLDER: Final = "audits"
_COLUMNS: Final = ("bundle", "bundle_row", "eolMediaURL", "ancestry", "tag", "confidence", "outcome", "rule")
_OF_SEVERAL: Final = "confidences"
"""A further column, of a task that gives an image several tags: how sure each of them is."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One tag of an audited image: the publication claims that the image shows it."""

    tag: str
    rule: str | None
    confidence: float | None
    is_counted: bool = True
    """The image was drawn for this tag. Another one came in for a rarer tag, and is no random draw of this one."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One image of an audit."""

    url: str
    content_sha256: str
    tag: str
    """As published: several joined by `|`."""
    confidence: float | None
    bundle: str
    bundle_row: int
    ancestry: str | None
    color_mode: str | None
    rule: str | None = None
    """The rule that gave the tag; `person` where people did."""
    several: tuple[Claim, ...] = ()
    """Of a task that gives an image several tags: each of them; one with the task's `missing` where it has none."""
    stratum: str = ""
    """Likewise: the stratum that it was drawn from; see eoltag.audit.draw."""

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Its tags, one or several."""
        return self.several or (Claim(self.tag, self.rule, self.confidence),)

    @property
    def tags(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(claim.tag for claim in self.claims)

    @property
    def drawn_from(self) -> str:
        """The stratum: a tag."""
        return self.stratum or self.tag


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
    has_several: bool = False
    """The task may give an image several tags; `rows` then counts an image for each of its tags."""
    several_strata: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of such a task: stratum -> tag -> published rows in it with this tag."""

    @property
    def strata(self) -> dict[str, dict[str, int]]:
        """Stratum, called by a tag that all its rows have -> tag -> rows of the stratum with this tag."""
        return self.several_strata or {tag: {tag: rows} for tag, rows in self.rows.items()}

    @property
    def all_rows(self) -> int:
        """Published rows of images that were read."""
        return sum(counted[stratum] for stratum, counted in self.strata.items())

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
    published = manifest.tasks[task]
    folder = output / PUBLISHED / manifest.version / "tags" / f"task={task}"
    read, has_several = ds.dataset(folder, format="parquet"), bool(published.content.get("multiple"))
    table = _read_rows(read, has_several)
    tags = [parted(tag) if has_several else (tag,) for tag in table["tag"].to_pylist()]
    rows = dict(sorted(Counter(tag for each in tags for tag in each).items()))
    if not rows:
        raise DataError(f"{folder}: no image of task '{task}' was read, so there is nothing to audit")
    drawn_for, wanted = draw_images(tags, rows, images, seed)
    rates = rates_of(rows, wanted)
    taken = table.take(list(drawn_for)).to_pylist()
    contents = _contents(output, [row["eolMediaURL"] for row in taken])
    drawn = [
        _drawn(row, contents[row["eolMediaURL"]], _claims(row, counted), rates)
        for row, counted in zip(taken, drawn_for.values(), strict=True)
        if row["eolMediaURL"] in contents
    ]
    now = datetime.now(UTC)
    sample = Sample(
        f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}", task, manifest.version, published.models, seed,
        now.isoformat(), rows, str(published.content["missing"]), drawn,
        [asdict(one) for one in agreements(read, list(published.models))], has_several,
        strata_of(tags, wanted) if has_several else {},
    )  # fmt: skip
    files.write_text(str(output / FOLDER / f"{sample.id}.json"), json.dumps(asdict(sample), indent=1) + "\n")
    return sample


def _read_rows(read: ds.Dataset, has_several: bool) -> pa.Table:
    """The published rows of images that were read. Raises DataError."""
    if has_several and _OF_SEVERAL not in read.schema.names:
        raise DataError(
            f"{Path(read.files[0]).parent}: wanted the column {_OF_SEVERAL}; decide and publish the task again"
        )
    columns = [*_COLUMNS, *([_OF_SEVERAL] if has_several else [])]
    return read.to_table(columns=columns, filter=ds.field("outcome") == Outcome.OK.value)


def read_samples(output: Path, task: str | None = None) -> list[Sample]:
    """The audits of an output, of one task or all, oldest first. Raises OutputError."""
    found = []
    for path in sorted((output / FOLDER).glob("*.json")):
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found.append(Sample(**{**document, "images": [_of_document(one) for one in document["images"]]}))
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise OutputError(f"{path}: cannot be read as an audit ({problem})") from problem
    return [one for one in found if task in (None, one.task)]


def find_sample(output: Path, audit: str) -> Sample:
    """An audit by its ID. Raises DataError."""
    samples = {sample.id: sample for sample in read_samples(output)}
    if audit not in samples:
        raise DataError(f"--audit: no audit '{audit}' in {output}; known: {', '.join(samples) or 'none'}")
    return samples[audit]


def _of_document(one: Mapping[str, Any]) -> Drawn:
    return Drawn(**{**one, "several": tuple(Claim(**claim) for claim in one.get("several", ()))})


def _drawn(
    row: Mapping[str, Any], content: tuple[str, str | None], claims: tuple[Claim, ...], rates: Mapping[str, float]
) -> Drawn:
    said = {name: row[name] for name in ("tag", "confidence", "bundle", "bundle_row", "ancestry", "rule")}
    stratum = stratum_of([claim.tag for claim in claims], rates) if claims else ""
    return Drawn(
        url=row["eolMediaURL"],
        content_sha256=content[0],
        color_mode=content[1],
        several=claims,
        stratum=stratum,
        **said,
    )


def _claims(row: Mapping[str, Any], counted: Collection[str]) -> tuple[Claim, ...]:
    """The tags of a published row of a task with several; none of another one. counted: those it was drawn for."""
    if _OF_SEVERAL not in row:
        return ()
    tags, rules = parted(row["tag"]), parted(row["rule"])
    rules = rules if len(rules) == len(tags) else (row["rule"],) * len(tags)  # a person's, or none
    sure = row[_OF_SEVERAL] or [row["confidence"]]
    return tuple(
        Claim(tag, rule, confidence, tag in counted) for tag, rule, confidence in zip(tags, rules, sure, strict=True)
    )


def _contents(output: Path, urls: list[str]) -> dict[str, tuple[str, str | None]]:
    """URL -> the hash of its latest content, and its colour mode."""
    wanted = ds.field("eolMediaURL").isin(urls) & (ds.field("outcome") == Outcome.OK.value)
    table: pa.Table = ds.dataset(output / "images", format="parquet").to_table(
        columns=["eolMediaURL", "content_sha256", "color_mode", "asked_at"], filter=wanted
    )
    order = pc.sort_indices(table, sort_keys=[("asked_at", "ascending")])
    return {row["eolMediaURL"]: (row["content_sha256"], row["color_mode"]) for row in table.take(order).to_pylist()}

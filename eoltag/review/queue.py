"""Which images are judged, in which order: a slice of the tags tables, each content once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import duckdb

from eoltag.audit.sample import Sample
from eoltag.errors import OutputError

Order = Literal["uncertain", "random", "least_sure"]
ORDERS: Final[tuple[Order, ...]] = ("uncertain", "random", "least_sure")
MOST: Final = 20_000
"""Images of one queue."""
_ORDER_SQL: Final = {
    "uncertain": "abs(confidence - 0.5), content_sha256",
    "least_sure": "confidence, content_sha256",
    "random": "hash(content_sha256 || $seed)",
}


@dataclass(frozen=True, slots=True)
class Slice:
    """What is wanted of the tags; empty and None for all."""

    tasks: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    ancestry: str = ""
    """A part of the ancestry, whatever the case of its letters."""
    least: float | None = None
    most: float | None = None
    """Bounds of the confidence."""
    order: Order = "uncertain"
    seed: int = 0
    limit: int = MOST


@dataclass(frozen=True, slots=True)
class Item:
    """One image as the page shows it."""

    task: str
    url: str
    content_sha256: str
    tag: str | None
    rule: str | None
    confidence: float | None
    scores: dict[str, float]
    """Model -> confidence in its label."""
    ancestry: str | None
    bundle: str
    bundle_row: int
    models: dict[str, str]
    """Name -> version."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_items(output: Path, wanted: Slice) -> list[Item]:
    """The images of a slice in its order. Raises OutputError."""
    conditions = ["outcome = 'ok'"]
    values: dict[str, Any] = {"most": min(wanted.limit, MOST)}
    for column, texts in (("task", wanted.tasks), ("tag", wanted.tags), ("rule", wanted.rules)):
        if texts:
            conditions.append(f"list_contains($of_{column}, {column})")
            values[f"of_{column}"] = list(texts)
    if wanted.ancestry:
        conditions.append("contains(lower(ancestry), lower($ancestry))")
        values["ancestry"] = wanted.ancestry
    for name, bound in (("least", wanted.least), ("most_sure", wanted.most)):
        if bound is not None:
            conditions.append(f"confidence {'>=' if name == 'least' else '<='} CAST(${name} AS FLOAT)")
            values[name] = bound
    if wanted.order == "random":
        values["seed"] = str(wanted.seed)
    query = f"""
        WITH known AS (
          SELECT eolMediaURL, max_by(content_sha256, asked_at) AS content_sha256
          FROM read_parquet($images) WHERE outcome = 'ok' GROUP BY ALL
        ), found AS (
          SELECT t.*, k.content_sha256 FROM read_parquet($tags, hive_partitioning = true, union_by_name = true) AS t
          JOIN known AS k USING (eolMediaURL) WHERE {" AND ".join(conditions)}
        ), once AS (
          SELECT * FROM found
          QUALIFY row_number() OVER (PARTITION BY task, content_sha256 ORDER BY bundle, bundle_row) = 1
        )
        SELECT task, eolMediaURL, content_sha256, tag, rule, confidence, models, ancestry, bundle, bundle_row
        FROM once ORDER BY {_ORDER_SQL[wanted.order]} LIMIT $most"""
    values |= {"images": f"{output}/images/*.parquet", "tags": f"{output}/tags/*/*.parquet"}
    try:
        rows = duckdb.connect().execute(query, values).fetchall()
    except duckdb.Error as problem:
        raise OutputError(
            f"{output}: its tags cannot be read for a review ({str(problem).splitlines()[0]})"
        ) from problem
    return [_item(*row) for row in rows]


def items_of(sample: Sample) -> list[Item]:
    """The images of an audit, in the order in which they were drawn."""
    return [
        Item(
            sample.task, one.url, one.content_sha256, one.tag, None, one.confidence, {}, one.ancestry, one.bundle,
            one.bundle_row, sample.models,
        )
        for one in sample.images
    ]  # fmt: skip


def known_tags(output: Path, tasks: Sequence[str]) -> dict[str, list[str]]:
    """Task -> its tags, the most frequent first."""
    rows = (
        duckdb.connect()
        .execute(
            "SELECT task, tag FROM read_parquet($tags, hive_partitioning = true, union_by_name = true) "
            "WHERE tag IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, tag",
            {"tags": f"{output}/tags/*/*.parquet"},
        )
        .fetchall()
    )
    found: dict[str, list[str]] = {}
    for task, tag in rows:
        if not tasks or task in tasks:
            found.setdefault(task, []).append(tag)
    return found


def _item(
    task: str, url: str, content: str, tag: str | None, rule: str | None, confidence: float | None,
    models: dict[str, dict[str, Any]], ancestry: str | None, bundle: str, bundle_row: int,
) -> Item:  # fmt: skip
    scores = {f"{name}: {said['label']}": said["confidence"] for name, said in models.items() if said["label"]}
    versions = {name: said["model_version"] for name, said in models.items()}
    return Item(task, url, content, tag, rule, confidence, scores, ancestry, bundle, bundle_row, versions)

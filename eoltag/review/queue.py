"""Which images are judged, in which order: a slice of the tags tables, each content once."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import duckdb

from eoltag.audit.sample import Drawn, Sample
from eoltag.errors import OutputError
from eoltag.judgements.task_tags import TaskTags, read_task_tags
from eoltag.records import JOINER, parted

Order = Literal["uncertain", "random", "least_sure"]
ORDERS: Final[tuple[Order, ...]] = ("uncertain", "random", "least_sure")
MOST: Final = 20_000
"""Images of one queue."""
_ORDER_SQL: Final = {
    "uncertain": "abs(confidence - 0.5), content_sha256",
    "least_sure": "confidence, content_sha256",
    "random": "hash(content_sha256 || $seed)",
}


_TAGS: Final = "read_parquet($tags, hive_partitioning = true, union_by_name = true)"
_SURE_OF: Final = "[one[2] FOR one IN list_zip(tags, confidences) IF list_contains($of_tag, one[1])]"
"""The confidences of the tags that are asked for, of an image with several."""


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
    """Bounds of the confidence; of several tags an image that of its least sure one, or of those asked for."""
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
    tags: tuple[str, ...] | None = None
    """Its tags, where the task may give an image several."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_items(output: Path, wanted: Slice) -> list[Item]:
    """The images of a slice in its order; one with several tags is in the slice of each. Raises OutputError."""
    connection, files = duckdb.connect(), {"tags": f"{output}/tags/*/*.parquet"}
    try:
        described = connection.execute(f"SELECT column_name FROM (DESCRIBE SELECT * FROM {_TAGS})", files).fetchall()
        has_several = ("confidences",) in described
        query, values = _query(wanted, has_several)
        rows = connection.execute(query, {**values, **files, "images": f"{output}/images/*.parquet"}).fetchall()
    except duckdb.Error as problem:
        raise OutputError(
            f"{output}: its tags cannot be read for a review ({str(problem).splitlines()[0]})"
        ) from problem
    return [_item(*row) for row in rows]


def _query(wanted: Slice, has_several: bool) -> tuple[str, dict[str, Any]]:
    """What is asked of the tags tables, and the values in it. has_several: some task gives an image several tags."""
    conditions, values = _conditions(wanted)
    sure = f"coalesce(list_min({_SURE_OF if wanted.tags else 'confidences'}), confidence)"
    tags, confidence = ("tags", sure) if has_several else ("NULL", "confidence")
    query = f"""
        WITH known AS (
          SELECT eolMediaURL, max_by(content_sha256, asked_at) AS content_sha256
          FROM read_parquet($images) WHERE outcome = 'ok' GROUP BY ALL
        ), tagged AS (
          SELECT * REPLACE ({confidence} AS confidence), {tags} AS each_tag FROM {_TAGS} WHERE outcome = 'ok'
        ), found AS (
          SELECT t.*, k.content_sha256 FROM tagged AS t
          JOIN known AS k USING (eolMediaURL) WHERE {" AND ".join(conditions)}
        ), once AS (
          SELECT * FROM found
          QUALIFY row_number() OVER (PARTITION BY task, content_sha256 ORDER BY bundle, bundle_row) = 1
        )
        SELECT task, eolMediaURL, content_sha256, tag, rule, confidence, models, ancestry, bundle, bundle_row, each_tag
        FROM once ORDER BY {_ORDER_SQL[wanted.order]} LIMIT $most"""
    return query, {**values, "most": min(wanted.limit, MOST)}


def _conditions(wanted: Slice) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = ["true"]
    values: dict[str, Any] = {}
    for column, texts in (("task", wanted.tasks), ("tag", wanted.tags), ("rule", wanted.rules)):
        if texts:
            conditions.append(f"list_has_any(list_append(string_split({column}, '{JOINER}'), {column}), $of_{column})")
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
    return conditions, values


def items_of(sample: Sample) -> list[Item]:
    """The images of an audit, in the order in which they were drawn."""
    return [
        Item(
            sample.task, one.url, one.content_sha256, one.tag, None, one.confidence, {}, one.ancestry, one.bundle,
            one.bundle_row, sample.models, _several(one, sample),
        )
        for one in sample.images
    ]  # fmt: skip


def _several(one: Drawn, sample: Sample) -> tuple[str, ...] | None:
    return tuple(tag for tag in one.tags if tag != sample.missing) if sample.has_several else None


def known_tags(output: Path, tasks: Sequence[str]) -> dict[str, list[str]]:
    """Task -> its tags, the most frequent first; of several an image each by itself, then those of no image yet."""
    rows = (
        duckdb.connect()
        .execute(
            f"SELECT task, tag, count(*) FROM {_TAGS} WHERE tag IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, tag",
            {"tags": f"{output}/tags/*/*.parquet"},
        )
        .fetchall()
    )
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for task, tag, images in rows:
        counts[task][tag] = images
    wanted = {task: counted for task, counted in counts.items() if not tasks or task in tasks}
    return {task: _choices(read_task_tags(output, task), counted) for task, counted in wanted.items()}


def _choices(task: TaskTags, counted: Mapping[str, int]) -> list[str]:
    """The tags of a task by the number of their images. counted: tag, or several joined -> images."""
    if not task.has_several:
        return list(counted)
    each: Counter[str] = Counter()
    for text, images in counted.items():
        each.update(dict.fromkeys(parted(text), images))
    every = dict.fromkeys([*(tag for tag, _ in each.most_common()), *task.named])
    return [tag for tag in every if tag != task.missing]


def _item(
    task: str, url: str, content: str, tag: str | None, rule: str | None, confidence: float | None,
    models: dict[str, dict[str, Any]], ancestry: str | None, bundle: str, bundle_row: int, tags: list[str] | None,
) -> Item:  # fmt: skip
    scores = {f"{name}: {said['label']}": said["confidence"] for name, said in models.items() if said["label"]}
    versions = {name: said["model_version"] for name, said in models.items()}
    each = None if tags is None else tuple(tags)
    return Item(task, url, content, tag, rule, confidence, scores, ancestry, bundle, bundle_row, versions, each)

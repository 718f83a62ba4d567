"""What the page asks of the tags tables: one query for all counts, one for the rows it may show, both bounded."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from typing import Any, Final

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType, IntegerType, MapType, StringType, StructField, StructType

from eoltag.report.content import BIN_WIDTHS, LOGIT_SPAN, PENDING, Counted, Found
from eoltag.spark.tables.files import reader
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IDENTITY, quoted

MOST_GROUPS: Final = 20_000
"""Counts that the driver takes in. Those of hosts come last, so only rare hosts can be left out."""
MOST_STRATA: Final = 300
"""Tags and failures, the most frequent ones, of which rows are drawn."""
MOST_DRAWN: Final = 8_000
"""Rows that are drawn in all, besides those with thumbnails; about as many of each tag and failure."""
DRAWN_OF_EACH: Final = (30, 400)
"""The fewest and the most that are drawn of each tag and failure; of a smaller one, all."""
LONGEST: Final = 4_000
"""Letters of a text that the page takes in."""
LONGEST_KEY: Final = 300
"""Letters of a tag, rule, bundle or host."""

_SCORED: Final = StructType(
    [StructField("label", StringType()), StructField("confidence", FloatType()), StructField("logit", FloatType())]
)
TAGS: Final = StructType(
    [
        *[StructField(name, kind) for name, kind in IDENTITY.items()],
        *[StructField(name, StringType()) for name in ("outcome", "detail", "tag", "rule", "label")],
        StructField("http_status", IntegerType()),
        *[StructField(name, FloatType()) for name in ("confidence", "logit")],
        StructField("models", MapType(StringType(), _SCORED)),
        StructField("confidences", ArrayType(FloatType())),
        StructField("task", StringType()),
    ]
)
"""The columns of the tags tables that the page shows; `confidences` is NULL for a task with one tag an image."""

KEPT: Final = "array<struct<name: string, value: string>>"
"""What --keep took along, by the name of its column."""

_HOST: Final = r"^[A-Za-z]+://(?:[^/?#]*@)?(\[[^\]]*\]|[^/?#:]*)"
_TAG_KEYS: Final = ("task", "outcome", "host", "bundle", "tag", "rule")
_SCORE_KEYS: Final = ("task", "tag", "model", "label", "confidence_bin", "logit_bin")
_TAG_GROUPS: Final = {
    "rows": {"task"},
    "outcome": {"task", "outcome"},
    "bundle": {"task", "outcome", "bundle"},
    "tag": {"task", "outcome", "tag", "rule"},
    "host": {"task", "outcome", "host"},
}
_SCORE_GROUPS: Final = {
    "confidence": {"task", "tag", "model", "label", "confidence_bin"},
    "logit": {"task", "tag", "model", "label", "logit_bin"},
}


def tags_of(output: Output, tasks: Mapping[str, Sequence[str]]) -> DataFrame:
    """The written tags of these tasks, texts cut to what a page may hold.

    tasks: task -> columns of its table that --keep took along; they become one column `kept`, an array.
    """
    if any(tasks.values()):  # two tasks may have columns of one name and different types
        tables = [_read(output, [name], kept) for name, kept in tasks.items()]
        rows = reduce(DataFrame.unionByName, tables)
    else:
        rows = _read(output, list(tasks), ())
    short = {name: _cut(F.col(name), LONGEST_KEY) for name in ("bundle", "tag", "rule", "label")}
    texts = {name: _cut(F.col(name), LONGEST) for name in ("ancestry", "detail")}
    return rows.withColumns({**short, **texts, "outcome": F.coalesce("outcome", F.lit(PENDING))})


def _read(output: Output, tasks: Sequence[str], kept: Sequence[str]) -> DataFrame:
    """The columns of TAGS, and `kept`."""
    texts = [StructField(name, StringType()) for name in kept]
    read = reader(output.session).schema(StructType([*TAGS.fields[:-1], *texts, TAGS.fields[-1]]))
    rows = read.option("basePath", output.path("tags")).parquet(
        *[output.path("tags", f"task={name}") for name in tasks]
    )
    pairs = [
        F.struct(F.lit(name).alias("name"), _cut(F.col(quoted(name)), LONGEST_KEY).alias("value")) for name in kept
    ]
    found = F.array(*pairs) if pairs else F.array()
    return rows.select(*TAGS.fieldNames(), found.cast(KEPT).alias("kept"))


def count_groups(tags: DataFrame) -> list[Counted]:
    """Every count of the page, in two passes over different columns. tags: as tags_of gives them."""
    scores = _grouped(_by_score(tags), _SCORE_KEYS, _SCORE_GROUPS)
    counted = (
        _grouped(_by_tag(tags), _TAG_KEYS, _TAG_GROUPS)
        .unionByName(scores, allowMissingColumns=True)
        .where("rows > 0")
        .orderBy(F.col("kind") == "host", F.desc("rows"))
        .limit(MOST_GROUPS)
        .collect()
    )
    return [_counted(row.asDict()) for row in counted]


def _by_tag(tags: DataFrame) -> DataFrame:
    """Rows counted by all of _TAG_KEYS. Few groups are left, so that the pattern for hosts meets few URLs."""
    shown = ["kept", *(name for name in TAGS.fieldNames() if name != "models")]
    start = F.substring_index("eolMediaURL", "/", 3).alias("start")
    host = _cut(F.lower(F.regexp_extract("start", _HOST, 1)), LONGEST_KEY).alias("host")
    rows = tags.select("task", "outcome", "bundle", "tag", "rule", start, F.xxhash64(*shown).alias("hash"))
    return (
        rows.groupBy("task", "outcome", "bundle", "tag", "rule", "start")
        .agg(F.count(F.lit(1)).alias("rows"), F.bit_xor("hash").alias("checksum"))
        .select("task", "outcome", host, "bundle", "tag", "rule", "rows", "checksum")
    )


def _by_score(tags: DataFrame) -> DataFrame:
    """Scores counted by all of _SCORE_KEYS, those of every model."""
    scored = tags.select("task", "tag", F.explode("models").alias("model", "score")).where(
        "score.confidence IS NOT NULL"
    )
    return (
        scored.select(
            *("task", "tag", "model"),
            _cut(F.col("score.label"), LONGEST_KEY).alias("label"),
            _bin(F.col("score.confidence"), BIN_WIDTHS["confidence"], 0.0, 0.999).alias("confidence_bin"),
            _bin(F.col("score.logit"), BIN_WIDTHS["logit"], -LOGIT_SPAN, LOGIT_SPAN).alias("logit_bin"),
        )
        .groupBy(*_SCORE_KEYS)
        .agg(F.count(F.lit(1)).alias("rows"), F.lit(None).cast("long").alias("checksum"))
    )


def _grouped(counted: DataFrame, keys: Sequence[str], groups: Mapping[str, Collection[str]]) -> DataFrame:
    """`counted` once more by each of `groups`: what it is not made by is NULL; `kind` names the group."""
    kind: Column = F.lit(None)
    for name, group in groups.items():
        # A bit is set for every key that the group is not made by, the last key lowest.
        mark = sum(1 << place for place, key in enumerate(reversed(keys)) if key not in group)
        kind = F.when(F.grouping_id() == mark, name).otherwise(kind)
    return counted.groupingSets([[key for key in keys if key in group] for group in groups.values()], *keys).agg(
        kind.alias("kind"), F.sum("rows").alias("rows"), F.bit_xor("checksum").alias("checksum")
    )


def find_rows(tags: DataFrame, counts: Sequence[Counted], pictured: Collection[tuple[str, str]]) -> list[Found]:
    """Rows that have a thumbnail, and a random draw from every tag and every failure; the same in every run.

    tags: as tags_of gives them. pictured: (task, URL) of the thumbnails.
    """
    session = tags.sparkSession
    order = F.md5("eolMediaURL")
    key = F.concat_ws("\n", "task", "outcome", "tag")
    drawn = _strata(counts)
    strata = _constant(session, drawn, "stratum string, upto string")
    pictures = _constant(
        session, [{"p_task": task, "p_url": url} for task, url in pictured], "p_task string, p_url string"
    )
    same = (F.col("task") == F.col("p_task")) & (F.col("eolMediaURL") == F.col("p_url"))
    place, is_pictured = F.substring("order", 1, 8), F.col("p_url").isNotNull()
    found = (
        tags.withColumn("order", F.coalesce(order, F.lit("")))
        .join(F.broadcast(pictures), on=same, how="left")
        .where((place <= max((one["upto"] for one in drawn), default="")) | is_pictured)  # few are left
        .withColumn("stratum", key)
        .join(F.broadcast(strata), on="stratum", how="left")
        .where((place <= F.col("upto")) | is_pictured)
        .select(
            *("task", F.left("eolMediaURL", F.lit(LONGEST)), "identifier", "dataObjectVersionID", "ancestry", "bundle"),
            *("bundle_row", "outcome", "detail", "http_status", "tag", "rule", "label", "confidence", "logit", "order"),
            *("kept", "confidences"),
        )
        .collect()
    )
    return [_found(row) for row in found]


def _found(row: Row) -> Found:
    kept = tuple((one.name, one.value) for one in row.kept if one.value)
    return Found(*row)._replace(kept=kept, confidences=tuple(row.confidences or ()))


def _strata(counts: Sequence[Counted]) -> list[dict[str, str]]:
    """How much of each tag and failure is drawn, as the highest beginning of `order`: eight hex digits."""
    sizes: Counter[str] = Counter()
    for one in counts:
        if one.kind == "tag" and one.outcome != PENDING:
            sizes["\n".join(part for part in (one.task, one.outcome, one.tag) if part is not None)] += one.rows
    drawn = sizes.most_common(MOST_STRATA)
    least, most = DRAWN_OF_EACH
    of_each = max(least, min(most, MOST_DRAWN // max(1, len(drawn))))
    return [{"stratum": name, "upto": f"{int(min(1, of_each / size) * 0xFFFFFFFF):08x}"} for name, size in drawn]


def _cut(text: Column, letters: int) -> Column:
    """The first letters of a text. Only long texts have theirs counted."""
    return F.when(F.octet_length(text) > letters, F.left(text, F.lit(letters))).otherwise(text)


def _bin(value: Column, width: float, least: float, most: float) -> Column:
    return F.floor(F.greatest(F.lit(least), F.least(F.lit(most), value)) / width).cast("int")


def _counted(row: dict[str, Any]) -> Counted:
    confidence_bin, logit_bin = row.pop("confidence_bin"), row.pop("logit_bin")
    checksum = row.pop("checksum")
    number = logit_bin if confidence_bin is None else confidence_bin
    return Counted(**row, bin=number, checksum=checksum if row["kind"] == "rows" else None)


def _constant(session: SparkSession, rows: list[dict[str, Any]], columns: str) -> DataFrame:
    """A table of a few rows that the driver has, made without a Spark job."""
    parsed = F.from_json(F.lit(json.dumps(rows)), f"array<struct<{columns.replace(' ', ': ').replace(',:', ',')}>>")
    return session.range(0, 1, 1, 1).select(F.inline(parsed))

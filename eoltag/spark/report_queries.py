"""What the page asks of the tags tables: one query for all counts, one for the rows it may show, both bounded."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import FloatType, IntegerType, MapType, StringType, StructField, StructType

from eoltag.report.content import BIN_WIDTHS, LOGIT_SPAN, PENDING, Counted, Found
from eoltag.spark.schemas import IDENTITY
from eoltag.spark.tables import Output

MOST_GROUPS: Final = 20_000
"""Counts that the driver takes in. Those of hosts come last, so only rare hosts can be left out."""
MOST_STRATA: Final = 300
"""Tags and failures, the most frequent ones, of which rows are drawn."""
MOST_DRAWN: Final = 8_000
"""Rows that are drawn in all, besides those with thumbnails; about as many of each tag and failure..."""
DRAWN_OF_EACH: Final = (30, 400)
"""...but no fewer and no more than this. Of a smaller tag, all."""
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
        StructField("task", StringType()),
    ]
)
"""Of the tags tables: what every task has and the page shows."""

_HOST: Final = r"^[A-Za-z]+://(?:[^/?#]*@)?(\[[^\]]*\]|[^/?#:]*)"
_KEYS: Final = ("task", "outcome", "host", "bundle", "tag", "rule", "model", "label", "confidence_bin", "logit_bin")
_GROUPS: Final = {
    "rows": {"task"},
    "outcome": {"task", "outcome"},
    "bundle": {"task", "outcome", "bundle"},
    "tag": {"task", "outcome", "tag", "rule"},
    "confidence": {"task", "tag", "model", "label", "confidence_bin"},
    "logit": {"task", "tag", "model", "label", "logit_bin"},
    "host": {"task", "outcome", "host"},
}
_MARKS: Final = {
    sum(1 << place for place, key in enumerate(reversed(_KEYS)) if key not in keys): kind
    for kind, keys in _GROUPS.items()
}
"""grouping_id -> kind: a bit is set for every key that the group is not made by, the last key lowest."""


def tags_of(output: Output, tasks: Sequence[str]) -> DataFrame:
    """The written tags of these tasks, texts cut to what a page may hold."""
    paths = [output.path("tags", f"task={name}") for name in tasks]
    rows = output.session.read.schema(TAGS).option("basePath", output.path("tags")).parquet(*paths)
    short = {name: F.left(F.col(name), F.lit(LONGEST_KEY)) for name in ("bundle", "tag", "rule", "label")}
    texts = {name: F.left(F.col(name), F.lit(LONGEST)) for name in ("ancestry", "detail")}
    return rows.withColumns({**short, **texts, "outcome": F.coalesce("outcome", F.lit(PENDING))})


def count_groups(tags: DataFrame) -> list[Counted]:
    """Every count of the page in one pass. tags: as tags_of gives them."""
    shown = [name for name in TAGS.fieldNames() if name != "models"]
    rows = tags.select(
        *("task", "outcome", "bundle", "tag", "rule"),
        F.left(F.lower(F.regexp_extract("eolMediaURL", _HOST, 1)), F.lit(LONGEST_KEY)).alias("host"),
        F.xxhash64(*shown).alias("hash"),
        F.posexplode_outer(F.map_entries("models")).alias("place", "scored"),
    )
    score = F.col("scored.value")
    is_first = F.coalesce(F.col("place"), F.lit(0)) == 0
    by_score = rows.select(
        *("task", "outcome", "host", "bundle", "tag", "rule"),
        F.col("scored.key").alias("model"),
        F.left(score["label"], F.lit(LONGEST_KEY)).alias("label"),
        _bin(score["confidence"], BIN_WIDTHS["confidence"], 0.0, 0.999).alias("confidence_bin"),
        _bin(score["logit"], BIN_WIDTHS["logit"], -LOGIT_SPAN, LOGIT_SPAN).alias("logit_bin"),
        score["confidence"].isNotNull().alias("is_scored"),
        is_first.alias("is_first"),
        F.when(is_first, F.col("hash")).alias("hash"),
    )
    mark = F.grouping_id().alias("mark")
    is_score = F.col("mark").isin([mark for mark, kind in _MARKS.items() if kind in BIN_WIDTHS])
    counted = (
        by_score.groupingSets([[key for key in _KEYS if key in keys] for keys in _GROUPS.values()], *_KEYS)
        .agg(mark, F.count_if("is_first").alias("rows"), F.count_if("is_scored").alias("scored"), F.bit_xor("hash"))
        .withColumn("rows", F.when(is_score, F.col("scored")).otherwise(F.col("rows")))
        .where("rows > 0")
        .orderBy(F.col("mark") == _mark("host"), F.desc("rows"))
        .limit(MOST_GROUPS)
        .collect()
    )
    return [_counted(row) for row in counted]


def find_rows(tags: DataFrame, counts: Sequence[Counted], pictured: Collection[tuple[str, str]]) -> list[Found]:
    """Rows that have a thumbnail, and a random draw from every tag and every failure; the same in every run.

    tags: as tags_of gives them. pictured: (task, URL) of the thumbnails.
    """
    session = tags.sparkSession
    order = F.md5("eolMediaURL")
    key = F.concat_ws("\n", "task", "outcome", "tag")
    strata = _constant(session, _strata(counts), "stratum string, upto string")
    pictures = _constant(
        session, [{"p_task": task, "p_url": url} for task, url in pictured], "p_task string, p_url string"
    )
    same = (F.col("task") == F.col("p_task")) & (F.col("eolMediaURL") == F.col("p_url"))
    is_drawn = F.substring("order", 1, 8) <= F.col("upto")
    found = (
        tags.withColumns({"order": F.coalesce(order, F.lit("")), "stratum": key})
        .join(F.broadcast(strata), on="stratum", how="left")
        .join(F.broadcast(pictures), on=same, how="left")
        .where(is_drawn | F.col("p_url").isNotNull())
        .select(
            *("task", F.left("eolMediaURL", F.lit(LONGEST)), "identifier", "dataObjectVersionID", "ancestry", "bundle"),
            *("bundle_row", "outcome", "detail", "http_status", "tag", "rule", "label", "confidence", "logit", "order"),
        )
        .collect()
    )
    return [Found(*row) for row in found]


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


def _bin(value: Column, width: float, least: float, most: float) -> Column:
    return F.floor(F.greatest(F.lit(least), F.least(F.lit(most), value)) / width).cast("int")


def _mark(kind: str) -> int:
    return next(mark for mark, named in _MARKS.items() if named == kind)


def _counted(row: Any) -> Counted:
    *keys, confidence_bin, logit_bin, mark, rows, _, checksum = row
    kind, number = _MARKS[mark], logit_bin if confidence_bin is None else confidence_bin
    return Counted._make([kind, *keys, number, rows, checksum if kind == "rows" else None])


def _constant(session: SparkSession, rows: list[dict[str, Any]], columns: str) -> DataFrame:
    """A few rows of the driver's, without a job of their own."""
    parsed = F.from_json(F.lit(json.dumps(rows)), f"array<struct<{columns.replace(' ', ': ').replace(',:', ',')}>>")
    return session.range(0, 1, 1, 1).select(F.inline(parsed))

"""The ladder: for each image, the cheapest place where what is still wanted of it can come from.

What there is to do is bundle rows minus rows that are answered. Resume, re-run, refresh, a new task and a new model
are this one rule.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from eoltag.records import Outcome
from eoltag.settings import Rung as RungName
from eoltag.spark.tables.answers import is_transient, latest_contents, with_answers
from eoltag.spark.tables.facts import FEATURES, IMAGES, MEASURES, PIXELS, SCORES, prefix_of, read_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IMAGES as IMAGES_SCHEMA

BUCKETS: Final = 4096
"""The to-do list is cut by hash of the URL; a wave is a run of buckets, so the driver only ever holds their counts."""


KNOWN: Final = (
    "etag", "last_modified", "rendition", "content_sha256", "bytes", "width", "height", "color_mode", "perceptual_hash",
)  # fmt: skip
"""What is kept in mind of the latest content of an image, columns of the images table."""

LADDER: Final = (
    "eolMediaURL", "dataObjectVersionID", "rows", "is_usable", "content", "known", "lacking", "from_features",
    "from_pixels", "rung",
)  # fmt: skip
"""Columns of `with_rungs`."""


class Rung(StrEnum):
    """Where the answer to a bundle row comes from, cheapest first."""

    SCORES = "scores"
    """Stored already: the scores of its content, or the failure that is its answer."""
    FEATURES = "features"
    """Stored features and the head of a model."""
    PIXELS = "pixels"
    """A stored copy of the picture."""
    NOT_MODIFIED = "not_modified"
    """A request that a server may answer with `not modified`."""
    FETCH = "fetch"
    """A request for the whole image."""
    NOWHERE = "nowhere"
    """No picture can help: the model takes features of a base that only others compute."""


@dataclass(frozen=True, slots=True)
class WantedModel:
    """What one model needs of an image."""

    version: str
    base_version: str = ""
    """Its base, where its head can be used alone."""
    side_px: int = 0
    """The shorter side that a kept copy must have for it."""
    is_head_only: bool = False
    """It takes features and no picture."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run wants of every image."""

    models: tuple[WantedModel, ...]
    measures: tuple[str, ...] = ()
    rungs: tuple[RungName, ...] = ("scores", "features", "pixels", "not_modified")
    is_failed_asked_again: bool = False
    """Final failures too; transient ones always are."""
    asked_before: datetime | None = None
    """Everything that was last asked for before this time is asked for again."""

    @property
    def names(self) -> list[str]:
        """Model versions and measures: all that an image can lack."""
        return [*(model.version for model in self.models), *self.measures]


def images_of(rows: DataFrame) -> DataFrame:
    """One row per (eolMediaURL, dataObjectVersionID), with the number of bundle rows that name it."""
    return rows.groupBy("eolMediaURL", "dataObjectVersionID").agg(
        F.count(F.lit(1)).alias("rows"), F.max("is_usable").alias("is_usable")
    )


def with_rungs(images: DataFrame, output: Output, wanted: Wanted) -> DataFrame:
    """`images` (images_of) with what is known of each, and `rung`.

    known: the struct of its latest content (columns KNOWN). lacking: names that this content lacks.
    from_features, from_pixels: those of them that each rung gives.
    """
    table = read_facts(output, IMAGES)
    if table is None:
        return _unknown(images, wanted)
    answers = {"a_outcome": "outcome", "a_content": "content_sha256", "a_asked_at": "asked_at"}
    answered = with_answers(images, table, ["eolMediaURL", "dataObjectVersionID"], answers)
    contents = latest_contents(table).select(F.col("eolMediaURL").alias("k_url"), F.struct(*KNOWN).alias("known"))
    found = answered.join(contents, on=F.col("eolMediaURL") == F.col("k_url"), how="left").drop("k_url")
    found = found.withColumn("content", F.coalesce("a_content", "known.content_sha256"))
    found = _with_lacking(found, output, wanted)
    return _with_rung(found, wanted)


def _unknown(images: DataFrame, wanted: Wanted) -> DataFrame:
    """Nothing was asked for so far."""
    none = F.array().cast("array<string>")
    return images.withColumns(
        {
            "content": F.lit(None).cast("string"),
            "known": F.lit(None).cast(StructType([IMAGES_SCHEMA[name] for name in KNOWN])),
            "lacking": F.array(*map(F.lit, wanted.names)),
            "from_features": none,
            "from_pixels": none,
            "rung": F.lit(str(Rung.FETCH)),
        }
    ).select(*LADDER)


def _with_lacking(found: DataFrame, output: Output, wanted: Wanted) -> DataFrame:
    """What the content of each image lacks, and which of it stored features and pixels can give."""
    scored = names_by_content(output, wanted)
    everything = F.array(*map(F.lit, wanted.names))
    if scored is None:
        found = found.withColumn("lacking", everything)
    else:
        found = found.join(scored, on=F.col("content") == F.col("s_content"), how="left").drop("s_content")
        having = F.coalesce("having", F.array().cast("array<string>"))
        found = found.withColumn("lacking", F.array_except(everything, having)).drop("having")
    found = _with_bases(found, output, wanted)
    return _with_copies(found, output, wanted)


def names_by_content(output: Output, wanted: Wanted) -> DataFrame | None:
    """s_content, having: the model versions that scored it, and the measures that were taken of it."""
    parts = []
    if "scores" in wanted.rungs and (scores := read_facts(output, SCORES)) is not None:
        versions = [model.version for model in wanted.models]
        parts.append(
            scores.where(F.col("model_version").isin(versions)).select(
                "content_sha256", F.col("model_version").alias("name")
            )
        )
    if wanted.measures and (measures := read_facts(output, MEASURES)) is not None:
        parts.append(measures.where(F.col("name").isin([*wanted.measures])).select("content_sha256", "name"))
    if not parts:
        return None
    union = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])
    if len(wanted.names) == 1:  # one row for each content already
        return union.select(F.col("content_sha256").alias("s_content"), F.array("name").alias("having"))
    return union.groupBy(F.col("content_sha256").alias("s_content")).agg(F.collect_set("name").alias("having"))


def _with_bases(found: DataFrame, output: Output, wanted: Wanted) -> DataFrame:
    """from_features: the lacking model versions whose base has stored features of the content."""
    bases = sorted({model.base_version for model in wanted.models if model.base_version})
    features = read_facts(output, FEATURES) if bases and "features" in wanted.rungs else None
    if features is None:
        return found.withColumn("from_features", F.array().cast("array<string>"))
    known = (
        features.where(F.col("base_version").isin(bases))
        .groupBy(F.col("content_sha256").alias("f_content"))
        .agg(F.collect_set("base_version").alias("bases"))
    )
    found = found.join(known, on=F.col("content") == F.col("f_content"), how="left")
    gives = [
        F.when(
            F.array_contains("bases", model.base_version) & F.array_contains("lacking", model.version), model.version
        )
        for model in wanted.models
        if model.base_version
    ]
    return found.withColumn("from_features", F.array_compact(F.array(*gives))).drop("f_content", "bases")


def _with_copies(found: DataFrame, output: Output, wanted: Wanted) -> DataFrame:
    """from_pixels: the lacking model versions, but for `from_features`, that a stored copy is large enough for."""
    pixels = read_facts(output, PIXELS) if "pixels" in wanted.rungs else None
    if pixels is None:
        return found.withColumn("from_pixels", F.array().cast("array<string>"))
    is_whole = F.least("source_width", "source_height") <= F.col("side_px")
    known = pixels.select(
        F.col("content_sha256").alias("p_content"),
        F.when(is_whole, 1 << 20).otherwise(F.col("side_px")).alias("p_side"),
    )
    found = found.join(known, on=F.col("content") == F.col("p_content"), how="left")
    gives = [
        F.when((F.col("p_side") >= model.side_px) & F.array_contains("lacking", model.version), model.version)
        for model in wanted.models
        if not model.is_head_only
    ]
    able = F.array_compact(F.array(*gives)) if gives else F.array().cast("array<string>")
    return found.withColumn("from_pixels", F.array_except(able, "from_features")).drop("p_content", "p_side")


def _with_rung(found: DataFrame, wanted: Wanted) -> DataFrame:
    is_ok = F.col("a_outcome") == Outcome.OK.value
    is_settled = F.coalesce(is_ok, F.lit(False)) if wanted.is_failed_asked_again else ~is_transient("a_outcome")
    is_settled = is_settled & F.col("a_outcome").isNotNull()
    if wanted.asked_before is not None:
        is_settled = is_settled & (F.col("a_asked_at") >= F.lit(wanted.asked_before))
    left = F.array_except(F.array_except("lacking", "from_features"), "from_pixels")
    heads = F.array(*[F.lit(model.version) for model in wanted.models if model.is_head_only]).cast("array<string>")
    needs_bytes = F.size(F.array_except(left, heads)) > 0
    has_version = F.coalesce("known.etag", "known.last_modified").isNotNull()
    can_ask = has_version & F.lit("not_modified" in wanted.rungs) & ~needs_bytes
    rung = (
        F.when(~is_settled & can_ask & F.col("content").isNotNull(), Rung.NOT_MODIFIED)
        .when(~is_settled, Rung.FETCH)
        .when(~is_ok | (F.size("lacking") == 0), Rung.SCORES)
        .when(needs_bytes, Rung.FETCH)
        .when(F.size("from_pixels") > 0, Rung.PIXELS)
        .when(F.size("from_features") > 0, Rung.FEATURES)
        .otherwise(Rung.NOWHERE)
    )
    return found.withColumn("rung", rung).select(*LADDER)


def to_ask(images: DataFrame) -> DataFrame:
    """One row per URL that a server is asked for. images: as `with_rungs` gives them.

    versions: those that want the answer. known: its content so far, whose version the server is asked about only where
    nothing else is wanted of it (is_conditional).
    """
    versions = F.collect_set(F.coalesce("dataObjectVersionID", F.lit("")))
    bucket = F.pmod(F.xxhash64("eolMediaURL"), F.lit(BUCKETS)).cast("int")
    return (
        images.where(F.col("rung").isin(Rung.NOT_MODIFIED, Rung.FETCH))
        .groupBy("eolMediaURL")
        .agg(
            F.when(F.size(versions) > 1, F.array_remove(versions, "")).otherwise(versions).alias("versions"),
            F.first("known", ignorenulls=True).alias("known"),
            F.first("lacking").alias("lacking"),
            F.bool_and(F.col("rung") == Rung.NOT_MODIFIED).alias("is_conditional"),
            F.sum("rows").alias("rows"),
            F.max("is_usable").alias("is_usable"),
        )
        .withColumn("bucket", bucket)
        .sortWithinPartitions("bucket")
    )


def to_reuse(images: DataFrame) -> DataFrame:
    """One row per content that stored features or pixels answer, with one of its URLs, and its bucket."""
    return (
        images.where((F.size("from_features") > 0) | (F.size("from_pixels") > 0))
        .where(F.col("rung") != Rung.FETCH)
        .groupBy(F.col("content").alias("content_sha256"))
        .agg(
            F.min("eolMediaURL").alias("eolMediaURL"),
            F.first("from_features").alias("from_features"),
            F.first("from_pixels").alias("from_pixels"),
            F.sum("rows").alias("rows"),
            F.max("is_usable").alias("is_usable"),
        )
        .withColumn("bucket", prefix_of())
    )


def rows_by_rung(images: DataFrame) -> dict[Rung, int]:
    """Rung -> usable bundle rows. images: as `with_rungs` gives them."""
    counted = images.where("is_usable").groupBy("rung").agg(F.sum("rows")).collect()
    return {Rung(rung): int(rows) for rung, rows in counted}

"""Column names and types of every table, defined once."""

from collections.abc import Iterable
from typing import Final

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from eoltag.image.features import FEATURES as MEASURES_KNOWN

__all__ = ["FEATURES", "IMAGES", "MEASURES", "PIXELS", "SCORES", "TAGS"]

SCHEMA_VERSION: Final = 2
"""The version of the output directory as a whole; a directory of another one is refused."""


def _schema(types: dict[str, DataType]) -> StructType:
    return StructType([StructField(name, kind) for name, kind in types.items()])


IDENTITY: Final[dict[str, DataType]] = {
    "eolMediaURL": StringType(),
    "identifier": StringType(),
    "dataObjectVersionID": StringType(),
    "ancestry": StringType(),
    "bundle": StringType(),
    "bundle_row": LongType(),
}
"""A bundle row, under EOL's own names."""

ROWS: Final = _schema({**IDENTITY, "is_usable": BooleanType()})
"""The staged bundle rows of a run."""

ANSWER: Final[dict[str, DataType]] = {
    "outcome": StringType(),
    "detail": StringType(),
    "http_status": IntegerType(),
    "attempts": IntegerType(),
    "etag": StringType(),
    "last_modified": StringType(),
    "content_sha256": StringType(),
    "bytes": LongType(),
    "width": IntegerType(),
    "height": IntegerType(),
    "color_mode": StringType(),
    "perceptual_hash": StringType(),
    "rendition": StringType(),
    "asked_at": TimestampType(),
}
"""What a server said, and what its bytes were; the fields of pipeline.rows.ImageRow."""

IMAGES: Final = _schema(
    {"eolMediaURL": StringType(), "dataObjectVersionID": StringType(), **ANSWER, "run_id": StringType()}
)
"""One row for each answer of a server."""

SCORE: Final[dict[str, DataType]] = {
    "content_sha256": StringType(),
    "model_version": StringType(),
    "engine": StringType(),
    "precision": StringType(),
    "source": StringType(),
    "scores": ArrayType(FloatType()),
    "scored_at": TimestampType(),
}
"""The fields of pipeline.rows.ScoreRow."""

SCORES: Final = _schema({**SCORE, "run_id": StringType()})
MEASURES: Final = _schema(
    {"content_sha256": StringType(), "name": StringType(), "value": DoubleType(), "run_id": StringType()}
)
FEATURES: Final = _schema(
    {
        "content_sha256": StringType(),
        "base_version": StringType(),
        "vector": BinaryType(),
        "source": StringType(),
        "run_id": StringType(),
        "computed_at": TimestampType(),
    }
)
PIXELS: Final = _schema(
    {
        "content_sha256": StringType(),
        "side_px": IntegerType(),
        "image": BinaryType(),
        "source_width": IntegerType(),
        "source_height": IntegerType(),
        "run_id": StringType(),
        "kept_at": TimestampType(),
    }
)

CARRIED: Final[dict[str, DataType]] = {"eolMediaURL": StringType(), "versions": ArrayType(StringType())}
"""Columns of the to-do list that ride through the worker. versions: every dataObjectVersionID of the URL."""

THUMBNAIL: Final[dict[str, DataType]] = {
    "task": StringType(),
    "label": StringType(),
    "confidence": FloatType(),
    "logit": FloatType(),
    "jpeg": BinaryType(),
}
"""A thumbnail for the report, besides `eolMediaURL` and `model_version`."""

WORKER_OUTPUT: Final = _schema(
    {
        "table": StringType(),
        **CARRIED,
        **ANSWER,
        **{name: kind for name, kind in SCORE.items() if name != "content_sha256"},
        "name": StringType(),
        "value": DoubleType(),
        "base_version": StringType(),
        "vector": BinaryType(),
        "side_px": IntegerType(),
        "image": BinaryType(),
        "source_width": IntegerType(),
        "source_height": IntegerType(),
        **THUMBNAIL,
    }
)
"""Rows of all tables of a wave: `table` says of which, and the columns of the others are NULL."""


def rows_schema(further: Iterable[str]) -> StructType:
    """Staged bundle rows with further columns of the bundles, which are texts."""
    return StructType([*ROWS.fields, *[StructField(name, StringType()) for name in further]])


def quoted(name: str) -> str:
    """A column name of any characters, as SQL takes it."""
    return "`{}`".format(name.replace("`", "``"))


PREDICTED: Final[dict[str, DataType]] = {
    **{name: ANSWER[name] for name in ("outcome", "detail", "http_status")},
    "label": StringType(),
    "confidence": FloatType(),
    "logit": FloatType(),
    "scores": MapType(StringType(), FloatType()),
    "logits": MapType(StringType(), FloatType()),
    **{name: ANSWER[name] for name in ("width", "height", "color_mode", "bytes", "content_sha256", "perceptual_hash")},
    "model_version": StringType(),
    "fetched_at": TimestampType(),
}
"""Columns that rules may use: bare in a task with one model, MODEL.column in every task."""

FLAT: Final = tuple(PREDICTED)

MEASURED: Final[dict[str, DataType]] = {name: DoubleType() for name in MEASURES_KNOWN}
"""Image features, where the task has them measured."""

TAG_MODEL: Final = ("label", "confidence", "logit", "model_version")
"""What the tags table keeps of each model, as map<model, struct>."""

TAGS: Final = _schema(
    {
        **IDENTITY,
        "task": StringType(),
        **{name: PREDICTED[name] for name in ("outcome", "detail", "http_status")},
        "tag": StringType(),
        "rule": StringType(),
        **{name: PREDICTED[name] for name in TAG_MODEL},
        "models": MapType(StringType(), _schema({name: PREDICTED[name] for name in TAG_MODEL})),
        "fetched_at": TimestampType(),
    }
)
"""The tags table of a task without features and extras, which come after `rule`."""

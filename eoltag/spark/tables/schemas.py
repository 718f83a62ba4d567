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

from eoltag.image.features import FEATURES

__all__ = ["PREDICTIONS", "TAGS"]

SCHEMA_VERSION: Final = 1
"""The version of the output directory as a whole; a directory of another one is refused."""


def _fields(types: dict[str, DataType]) -> list[StructField]:
    return [StructField(name, kind) for name, kind in types.items()]


IDENTITY: Final[dict[str, DataType]] = {
    "eolMediaURL": StringType(),
    "identifier": StringType(),
    "dataObjectVersionID": StringType(),
    "ancestry": StringType(),
    "bundle": StringType(),
    "bundle_row": LongType(),
}
"""A bundle row, under EOL's own names."""

MEASURED: Final[dict[str, DataType]] = {
    "task": StringType(),
    "model": StringType(),
    "model_version": StringType(),
    "engine": StringType(),
    "outcome": StringType(),
    "detail": StringType(),
    "http_status": IntegerType(),
    "attempts": IntegerType(),
    "label": StringType(),
    "confidence": FloatType(),
    "logit": FloatType(),
    "scores": MapType(StringType(), FloatType()),
    "width": IntegerType(),
    "height": IntegerType(),
    "color_mode": StringType(),
    "bytes": LongType(),
    "content_sha256": StringType(),
    "perceptual_hash": StringType(),
    **{name: DoubleType() for name in FEATURES},
    "fetched_at": TimestampType(),
}
"""What a worker finds out; the values of pipeline.partition.Prediction.row in their order."""

ROWS: Final = StructType(_fields({**IDENTITY, "is_usable": BooleanType()}))
"""The staged bundle rows of a run."""

PREDICTIONS: Final = StructType(_fields({**IDENTITY, **MEASURED, "run_id": StringType()}))

CARRIED: Final[dict[str, DataType]] = {
    **{name: kind for name, kind in IDENTITY.items() if name != "dataObjectVersionID"},
    "versions": ArrayType(StringType()),
}
"""Columns of the to-do list that ride through the worker untouched. versions: every dataObjectVersionID of the URL."""

WORKER_OUTPUT: Final = StructType(_fields({**CARRIED, **MEASURED, "jpeg": BinaryType()}))
"""Predictions; and rows with a jpeg, which are thumbnails for the report and no predictions."""


def rows_schema(further: Iterable[str]) -> StructType:
    """Staged bundle rows with further columns of the bundles, which are texts."""
    return StructType([*ROWS.fields, *[StructField(name, StringType()) for name in further]])


def quoted(name: str) -> str:
    """A column name of any characters, as SQL takes it."""
    return "`{}`".format(name.replace("`", "``"))


FLAT: Final = (
    "outcome",
    "detail",
    "http_status",
    "label",
    "confidence",
    "logit",
    "scores",
    "width",
    "height",
    "color_mode",
    "bytes",
    "content_sha256",
    "perceptual_hash",
    "model_version",
    "fetched_at",
)
"""Prediction columns that rules may use: bare in a task with one model, MODEL.column in every task."""

TAG_MODEL: Final = ("label", "confidence", "logit", "model_version")
"""What the tags table keeps of each model, as map<model, struct>."""

TAGS: Final = StructType(
    _fields(
        {
            **IDENTITY,
            "task": StringType(),
            **{name: MEASURED[name] for name in ("outcome", "detail", "http_status")},
            "tag": StringType(),
            "rule": StringType(),
            **{name: MEASURED[name] for name in TAG_MODEL},
            "models": MapType(StringType(), StructType(_fields({name: MEASURED[name] for name in TAG_MODEL}))),
            "fetched_at": TimestampType(),
        }
    )
)
"""The tags table of a task without features and extras, which come after `rule`."""

"""Rows between Spark and its Python workers, as Arrow batches: what comes in as tuples, what goes out by name."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema

from eoltag.pipeline.rows import TABLE_OF, Row, ScoreBlock, ScoreRow
from eoltag.records import WantedImage
from eoltag.spark.tables.schemas import CARRIED, WORKER_OUTPUT

_SCHEMA: Final = to_arrow_schema(WORKER_OUTPUT, timezone="UTC")
_MOST_ROWS: Final = 512
_MOST_BYTES: Final = 8 << 20
"""Of blobs in one batch."""


def columns_of(batches: Iterator[pa.RecordBatch], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The values of these columns, row by row."""
    for batch in batches:
        yield from zip(*[batch.column(name).to_pylist() for name in names], strict=True)


class Batches:
    """A growing batch of rows of the worker's output (schemas.WORKER_OUTPUT)."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, row: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        """Take a row; where it fills the batch, the batch."""
        self._rows.append(row)
        self._bytes += len(row.get("image") or b"") + len(row.get("vector") or b"")
        if len(self._rows) >= _MOST_ROWS or self._bytes >= _MOST_BYTES:
            yield from self.finish()

    def finish(self) -> Iterator[pa.RecordBatch]:
        """The rows that are left."""
        if self._rows:
            yield pa.RecordBatch.from_arrays([_column(self._rows, field) for field in _SCHEMA], schema=_SCHEMA)
            self._rows, self._bytes = [], 0


def as_columns(row: Row, item: WantedImage | None) -> dict[str, Any]:
    """A row of a table by column, with what its image carries."""
    carried = {} if item is None else dict(zip(CARRIED, item.carried, strict=True))
    return {"table": TABLE_OF[type(row)], **row._asdict(), **carried}


def batch_of(block: ScoreBlock, contents: pa.Array) -> pa.RecordBatch:
    """A block of scores as a batch. contents: those that its places are of."""
    count, width = block.scores.shape
    columns = {
        "content_sha256": contents.take(pa.array(block.places)),
        "scores": pa.ListArray.from_arrays(
            np.arange(0, (count + 1) * width, width, dtype=np.int32), pa.array(block.scores.ravel(), pa.float32())
        ),
    }
    alike = {"table": TABLE_OF[ScoreRow], **block._asdict()}
    return pa.RecordBatch.from_arrays(
        [
            columns[field.name].cast(field.type)
            if field.name in columns
            else pa.repeat(pa.scalar(alike.get(field.name), field.type), count)
            for field in _SCHEMA
        ],
        schema=_SCHEMA,
    )


def _column(rows: Sequence[dict[str, Any]], field: pa.Field) -> pa.Array:
    return pa.array([row.get(field.name) for row in rows], field.type)

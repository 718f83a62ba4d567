"""A column of URLs to a column of answers, in the Python workers of Spark."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.pandas.functions import arrow_udf
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from eoltag.pipeline.answers import Answer, answers_in_order
from eoltag.pipeline.partition import Job
from eoltag.spark.decide.rules import ANSWERED
from eoltag.spark.predict.process import hands, take_gpu

_MOST_ROWS: Final = 128
"""Rows in one Arrow batch: few, so that a query for the first rows of a slow server has them early."""


@dataclass(frozen=True)
class ColumnWorker:
    """Everything that an executor needs to answer the URLs of a partition; travels by pickle, packages as `Held`."""

    job: Job
    columns: StructType
    """What is given back: rules.worker_columns."""
    keys: tuple[str, ...]
    """Model versions and measures, as the columns have them after those of the answer."""
    rate_share: float
    is_careful: bool
    """Pictures are worked on in processes of their own from the beginning: a task that fails is not tried again."""

    def answer(self, batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        """URLs to structs (`columns`), as many and in the same order."""
        take_gpu()
        urls = (url for batch in batches for url in batch.to_pylist())
        with hands(self.job, is_careful=self.is_careful) as (decode, computer):
            answers = answers_in_order(urls, self.job, rate_share=self.rate_share, decode=decode, computer=computer)
            while rows := list(islice(answers, _MOST_ROWS)):
                yield self._structs(rows)

    def column(self, url: Column) -> Column:
        """The answers for a column of URLs. Spark must not compute it twice: each time would ask the servers again."""

        def answered(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
            return self.answer(batches)

        made: Any = arrow_udf  # its overloads leave out iterators of arrays
        function = made(answered, self.columns)
        found: Column = function.asNondeterministic()(url)
        return found

    def _structs(self, rows: list[Answer]) -> pa.Array:
        fields = list(to_arrow_schema(self.columns, timezone="UTC"))
        values: list[list[Any]] = [[getattr(row.image, name) for row in rows] for name in ANSWERED]
        values += [[row.given.get(key) for row in rows] for key in self.keys]
        arrays = [pa.array(column, field.type) for column, field in zip(values, fields, strict=True)]
        return pa.StructArray.from_arrays(arrays, fields=fields)

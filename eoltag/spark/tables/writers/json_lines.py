"""JSON lines: an object for each row, with numbers as numbers, and null where there is no value."""

from collections.abc import Sequence
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from eoltag.spark.tables.writers.writer import Cell, TableWriter


def _line(cells: Sequence[Cell]) -> Column:
    row = F.struct(*[cell.value.alias(cell.header) for cell in cells])
    return F.to_json(row, {"ignoreNullFields": "false"})


WRITER: Final = TableWriter("jsonl", lambda _: None, _line)

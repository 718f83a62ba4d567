"""TSV: every value as text, no quoting; what could break a row becomes a space."""

from collections.abc import Sequence
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from eoltag.spark.tables.writers.writer import Cell, TableWriter

ROW_BREAKS: Final = "\t\r\n\u000b\u000c\u0085\u2028\u2029"
"""What could break a row."""
_NO_ANCESTRY: Final = "NA"
"""EOL's literal where a list has no ancestry column."""


def _line(cells: Sequence[Cell]) -> Column:
    """The cells between tabs; runs of tabs and line breaks inside one, which are rare, become one space."""
    texts = [_text(cell) for cell in cells]
    mended = F.concat_ws("\t", *[F.regexp_replace(text, f"[{ROW_BREAKS}]+", " ") for text in texts])
    return F.when(_is_broken(texts), mended).otherwise(F.concat_ws("\t", *texts))


def _text(cell: Cell) -> Column:
    """As text; no value is empty (ancestry: NA)."""
    return F.coalesce(cell.value.cast("string"), F.lit(_NO_ANCESTRY if cell.expression == "ancestry" else ""))


def _is_broken(texts: list[Column]) -> Column:
    """Whether some text holds a tab or a line break. Eight plain searches take less than one for a pattern."""
    joined, broken = F.concat(*texts), F.lit(False)
    for mark in ROW_BREAKS:
        broken = broken | F.contains(joined, F.lit(mark))
    return broken


WRITER: Final = TableWriter("tsv", "\t".join, _line)

"""What a table writer is: how a row of a file becomes a line of text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import Column


class Cell(NamedTuple):
    """One column of a file."""

    header: str
    expression: str
    """Its SQL over the tags table."""
    value: Column
    """The same, with the type that Spark gives it."""


@dataclass(frozen=True, slots=True)
class TableWriter:
    """One file format of tags."""

    name: str
    """In `formats` of a task file; also the folder in the output directory, and the ending of its files."""
    header: Callable[[Sequence[str]], str | None]
    """The first line of a file with columns of these names; None where the format has none."""
    line: Callable[[Sequence[Cell]], Column]
    """A row as one line of text, without its end."""

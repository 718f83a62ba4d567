"""The known bundle formats. To add one, write its file here and name it in FORMATS."""

from typing import Final

from eoltag.bundle.formats import json_lines, parquet, plain_list, table
from eoltag.bundle.formats.content import BundleFormat, Content, Sample
from eoltag.bundle.formats.text import Source, is_markup, short
from eoltag.errors import NoListError

FORMATS: Final[list[BundleFormat]] = [parquet.FORMAT, json_lines.FORMAT, table.FORMAT, plain_list.FORMAT]
"""They are asked in this order, and the first that recognises a file reads it: strict formats first."""


def recognise(source: Source, url_column: str | None = None) -> tuple[str, Content]:
    """The name of the file's format, and its content. Raises NoListError where no format knows it, BundleError
    where it is broken."""
    sample = Sample(source, url_column)
    for known in FORMATS:
        content = known.recognise(sample)
        if content is not None:
            return known.name, content
    first = sample.text.first
    came = "a web page or XML" if is_markup(first) else "text without any"
    raise NoListError(f"{source.label}: wanted a list of image URLs; came {came}, {short(first.strip())}")

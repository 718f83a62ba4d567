"""Parquet files, such as Spark or pandas writes them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from eoltag.bundle.formats.columns import ABSENT, PROBED_ROWS, choose_columns
from eoltag.bundle.formats.content import BundleFormat, Columned, Sample, Tally
from eoltag.bundle.formats.text import PARQUET_MARK, Source, trimmed, unreadable
from eoltag.errors import BundleError
from eoltag.records import ImageRef

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class ParquetTable(Columned):
    """A Parquet file."""

    def rows(self, further: Sequence[str], tally: Tally) -> Iterator[ImageRef]:  # noqa: ARG002  nothing to pass over
        """Every row, a batch at a time; values that are no texts as Arrow writes them. Raises BundleError."""
        places = [*self.chosen.places, *self.chosen.places_of(further)]
        row = 0
        for columns in _batches(self.source, [None if place == ABSENT else self.columns[place] for place in places]):
            for url, identifier, version, ancestry, *more in zip(*columns, strict=True):
                row += 1
                yield ImageRef(
                    row,
                    trimmed(url or "") or None,
                    identifier or None,
                    version or None,
                    ancestry or None,
                    tuple([value or None for value in more]),
                )


def recognise(sample: Sample) -> ParquetTable | None:
    """A file that begins with Parquet's mark. Raises BundleError where it is broken, or no column holds URLs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = sample.source
    if source.packing != "plain" or not sample.head.startswith(PARQUET_MARK):
        return None
    with _arrow_errors(source):
        schema = pq.read_schema(source.path)

    def values_at(place: int) -> list[str]:
        batches = _batches(source, [schema.names[place]], PROBED_ROWS)
        return [value for [values] in islice(batches, 1) for value in values if value]

    columns, notes = choose_columns(schema.names, values_at, source.label, sample.url_column)
    url = schema.field(columns.places[0])
    kind = url.type.value_type if pa.types.is_dictionary(url.type) else url.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)):
        raise BundleError(f"{source.label}: column {url.name}: wanted URLs as texts; came {url.type}")
    return ParquetTable(source, columns, notes)


FORMAT: Final = BundleFormat("parquet", recognise)


def _batches(source: Source, names: Sequence[str | None], size: int = _BATCH_ROWS) -> Iterator[list[list[Any]]]:
    """The columns of these names as texts, `size` rows at a time; nothing but NULL for a name that is None."""
    import pyarrow.parquet as pq

    with _arrow_errors(source), pq.ParquetFile(source.path) as file:
        first = 1
        for batch in file.iter_batches(size, columns=[name for name in dict.fromkeys(names) if name is not None]):
            nothing = [None] * batch.num_rows
            yield [nothing if name is None else _texts(batch.column(name), name, first, source) for name in names]
            first += batch.num_rows


def _texts(values: "pa.Array", name: str, first: int, source: Source) -> list[Any]:
    import pyarrow as pa

    try:
        return values.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    except (pa.ArrowException, NotImplementedError, UnicodeDecodeError) as problem:
        rows = f"rows {first:,} to {first + len(values) - 1:,}"
        reason = " ".join(str(problem).split())
        raise BundleError(
            f"{source.label}: {rows}, column {name}: wanted texts or numbers; came {values.type} ({reason})"
        ) from problem


@contextmanager
def _arrow_errors(source: Source) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as problem:
        raise unreadable(source.label, problem) from problem

"""The rows that the tables keep of bundles, held against the lists that were given."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from eoltag.bundle.staging import Staged
from eoltag.spark.tables.output import Output
from eoltag.spark.verify.finding import Finding

_COMPARED = ("bundle_row", "eolMediaURL")


def check_lists(output: Output, staged: Staged) -> Iterator[Finding]:
    """Lists that the tables do not know, or know with other rows."""
    for bundle in staged.bundles:
        place = f"bundles/bundle={bundle}"
        parts = output.files.parts(output.path(place))
        if not parts:
            yield Finding(place, f"is missing; the list {bundle} was never tagged here")
            continue
        wanted = _rows(pq.read_table(staged.path(bundle), columns=list(_COMPARED), partitioning=None))
        kept = []
        for part in parts:
            with output.files.local_copy(output.path(place, part)) as local:
                kept.append(pq.read_table(local, columns=list(_COMPARED), partitioning=None))
        found = _rows(pa.concat_tables(kept))
        if found != wanted:
            differing = sum(found.get(row) != url for row, url in wanted.items()) + len(found.keys() - wanted.keys())
            yield Finding(
                place, f"holds {len(found):,} rows, the list has {len(wanted):,}; {differing:,} differ or are missing"
            )


def _rows(table: pa.Table) -> dict[int, str]:
    return dict(zip(*(table[name].to_pylist() for name in _COMPARED), strict=True))

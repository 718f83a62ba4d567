"""How often two models of a task give the same label, over all published images."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from eoltag.records import Outcome

_COLUMN = "models"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two models beside each other."""

    models: tuple[str, str]
    """Their names in the task file."""
    images: int
    """Published rows of which both gave a label."""
    same: int
    """Those with the same label."""

    @property
    def share(self) -> float:
        """Of the images on which they agree."""
        return self.same / self.images


def agreements(tags: ds.Dataset, names: Sequence[str]) -> list[Agreement]:
    """Every pair of a task's models that have a label in common; none where the tags name no models.

    tags: the published table. names: of the models.
    """
    pairs = list(combinations(names, 2))
    if not pairs or _COLUMN not in tags.schema.names:
        return []
    both, same, labels = [0] * len(pairs), [0] * len(pairs), {name: set[str]() for name in names}
    is_read = ds.field("outcome") == Outcome.OK.value
    for batch in tags.to_batches(columns=[_COLUMN], filter=is_read):
        said = {name: _labels(batch.column(0), name) for name in names}
        for name, column in said.items():
            labels[name] |= set(pc.unique(column).to_pylist()) - {None}
        for at, (first, second) in enumerate(pairs):
            equal = pc.equal(said[first], said[second])
            both[at] += len(equal) - equal.null_count
            same[at] += pc.sum(equal).as_py() or 0
    return [
        Agreement((first, second), both[at], same[at])
        for at, (first, second) in enumerate(pairs)
        if both[at] and labels[first] & labels[second]
    ]


def _labels(models: pa.Array, name: str) -> pa.Array:
    """The label that one model gave, for each row."""
    found = pc.map_lookup(models, pa.scalar(name, pa.string()), "first")
    return pc.struct_field(found, "label")

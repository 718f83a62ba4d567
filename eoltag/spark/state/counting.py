"""Rows of each bundle by outcome and tag, and whether a run might ask for one of them again: from the tags table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.records import Outcome
from eoltag.spark.predict.plan import Redo, lacks_any, may_pass
from eoltag.spark.tables.output import Output

MOST_GROUPS: Final = 50_000
"""No more are kept: a rule that makes up tags may give every row one of its own."""


class Group(NamedTuple):
    """Rows of one bundle with one outcome and tag. Plain values, as JSON keeps them."""

    outcome: str | None
    """None: not predicted yet."""
    tag: str | None
    rows: int
    places: int
    """Hashes of their numbers in the bundle, combined by XOR: two tasks with the same outcome for the same rows have
    the same."""
    oldest: int | None
    """Microseconds since 1970: no answer is from before. None where none was given yet."""

    def is_outdated(self, redo: Redo) -> bool:
        """May some of the answers, which stand by themselves, have to be asked for again for this reason?"""
        if redo.failed and self.outcome != Outcome.OK:
            return True
        return redo.before is not None and (self.oldest is None or self.oldest < redo.before.timestamp() * 1e6)


Groups = dict[str, list[Group]]
"""By bundle."""


@dataclass(frozen=True, slots=True)
class TableCounts:
    """One tags table."""

    groups: Groups | None
    """None where there are more than MOST_GROUPS."""
    settled: list[str]
    """Bundles of which surely no row would be asked again, sorted."""


def count_table(output: Output, task: Task) -> TableCounts:
    """Of the written tags of a task."""
    return count_bundles(output.tags(task.name), output.predictions(), task)


def count_bundles(tags: DataFrame, predictions: DataFrame | None, task: Task) -> TableCounts:
    """Of a tags table.

    predictions: what it was decided from; looked at where a task has several models, since the tags table keeps neither
    the outcome nor the time of each.
    """
    is_open, oldest = _of_one_model(task) if len(task.packages) == 1 else _of_models(predictions, task)
    found = (
        tags.groupBy("bundle", "outcome", "tag")
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.bit_xor(F.xxhash64("bundle_row")).alias("places"),
            F.min(oldest).alias("oldest"),
            F.max(is_open).alias("is_open"),
        )
        .take(MOST_GROUPS + 1)
    )
    if len(found) > MOST_GROUPS:
        return TableCounts(None, [])
    groups: Groups = {}
    for bundle, *cells, _ in found:
        groups.setdefault(bundle, []).append(Group(*cells))
    return TableCounts(groups, sorted(set(groups) - {row["bundle"] for row in found if row["is_open"]}))


def _of_one_model(task: Task) -> tuple[Column, Column]:
    """Of a row of the tags table: might it be asked for again, as plan.with_models has it; when was it answered?"""
    is_open = F.col("outcome").isNull() | _may_be_asked_again(task)
    return is_open, F.unix_micros("fetched_at")


def _of_models(predictions: DataFrame | None, task: Task) -> tuple[Column, Column]:
    """The same; surely not where every model has answered, and the row was read or no failure of the table may pass."""
    if predictions is None:
        return F.lit(True), F.lit(None).cast("bigint")
    versions = {name: package.version for name, package in task.packages.items()}
    wanted = [F.struct(F.lit(name), F.lit(version)) for name, version in versions.items()]
    mine = predictions.where((F.col("task") == task.name) & F.struct("model", "model_version").isin(wanted))
    is_any_open, oldest = mine.agg(F.max(_may_be_asked_again(task)), F.unix_micros(F.min("fetched_at"))).collect()[0]
    is_open = ~_is_ok() | F.lit(bool(task.file.features)) if is_any_open else F.lit(False)
    for name in versions:
        is_open = is_open | F.col("models")[name]["model_version"].isNull()
    return is_open, F.lit(oldest).cast("bigint")


def _is_ok() -> Column:
    return F.col("outcome").eqNullSafe(Outcome.OK.value)


def _may_be_asked_again(task: Task) -> Column:
    return may_pass() | lacks_any(task.file.features)


def tags_of(groups: Iterable[Group]) -> dict[str, int]:
    """Tag -> rows, by name."""
    counted: Counter[str] = Counter()
    for group in groups:
        if group.tag is not None:
            counted[group.tag] += group.rows
    return dict(sorted(counted.items()))


def outcomes_of(by_task: Sequence[Groups]) -> Counter[str | None] | None:
    """Outcome -> rows of the same bundles, where every row has the same outcome in each task; else None."""
    counted: Counter[str | None] = Counter()
    for bundle in by_task[0]:
        first, *others = [_by_outcome(groups[bundle]) for groups in by_task]
        if any(other != first for other in others):
            return None
        for outcome, (rows, _) in first.items():
            counted[outcome] += rows
    return counted


def _by_outcome(groups: Iterable[Group]) -> dict[str | None, tuple[int, int]]:
    found: dict[str | None, tuple[int, int]] = {}
    for group in groups:
        rows, places = found.get(group.outcome, (0, 0))
        found[group.outcome] = rows + group.rows, places ^ group.places
    return found

"""Decides the tasks of a job one after the other, and asks meanwhile what the page shows of the tables."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from eoltag.decide.task import Task
from eoltag.report import Changes
from eoltag.spark.decide.decision import decide, write_files, write_tags
from eoltag.spark.report.page_data import Shown, ask_tables
from eoltag.spark.tables.output import Output


def decide_tasks(
    output: Output, tasks: Sequence[Task], digests: Mapping[str, str], *, has_delta: bool
) -> tuple[dict[str, Changes | None], Shown]:
    """decide() for each task: what changed by it, and what the page shows of all tasks.

    The tables are asked beside the writing of the last task's files: each of the two leaves cores idle.
    """
    *others, last = tasks
    changes = {task.name: decide(output, task, digests, has_delta=has_delta) for task in others}
    compared = write_tags(output, last, has_delta=has_delta)
    with ThreadPoolExecutor(1) as beside:
        asking = beside.submit(ask_tables, output)
        changes[last.name] = write_files(output, last, digests, compared, has_delta=has_delta)
        return changes, asking.result()

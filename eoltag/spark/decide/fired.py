"""Counts how many bundle rows each rule tags by the scores that are stored."""

from collections.abc import Sequence

from pyspark.sql import DataFrame

from eoltag.decide.task import Task, rows_by_rule
from eoltag.spark.decide.checking import naming_the_rule
from eoltag.spark.decide.rules import Facts, tag_rows


def rules_over(rows: DataFrame, facts: Facts, tasks: Sequence[Task]) -> dict[str, dict[str, int]]:
    """Task -> rule -> bundle rows that it tags by the scores that there are; no task where there are none."""
    found = {}
    for task in tasks if facts.scores is not None else ():
        with naming_the_rule(rows.sparkSession, task):
            counted = tag_rows(rows, facts, task).where("outcome = 'ok'").groupBy("rule").count().collect()
        if counted:
            found[task.name] = rows_by_rule(task, {row["rule"]: row["count"] for row in counted})
    return found

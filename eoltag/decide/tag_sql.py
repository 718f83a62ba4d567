"""The tag of an image as one expression of Spark SQL, assembled of the rules of a task."""

from eoltag.decide.task import Task, rule_conditions, text_literal
from eoltag.records import Outcome

__all__ = ["given_expression", "rule_expression", "tag_expression"]


def tag_expression(task: Task) -> str:
    """The tag: NULL for an image that failed, that of the first rule that holds, else the task's missing literal."""
    return _case(task, _tags_of_rules(task), text_literal(task.file.missing))


def given_expression(task: Task) -> str:
    """Of a task with several tags: array<struct<tag, rule>> of every rule that holds; NULL for an image that failed."""
    pairs_given = [
        f"CASE WHEN ({condition}) THEN named_struct('tag', CAST({tag} AS STRING), 'rule', {text_literal(name)}) END"
        for (name, condition), tag in zip(rule_conditions(task), _tags_of_rules(task), strict=True)
    ]
    kind = "ARRAY<STRUCT<tag: STRING, rule: STRING>>"
    given = f"CAST(array_compact(array({', '.join(pairs_given)})) AS {kind})"
    return f"CASE WHEN outcome <=> '{Outcome.OK}' THEN filter({given}, given -> given.tag IS NOT NULL) END"


def rule_expression(task: Task) -> str:
    """The name of the rule that fired; NULL where none did."""
    return _case(task, [text_literal(rule.name) for rule in task.file.rules], "NULL")


def _tags_of_rules(task: Task) -> list[str]:
    """The tag of each rule, as SQL."""
    return [text_literal(rule.tag) if rule.tag is not None else str(rule.tag_sql) for rule in task.file.rules]


def _case(task: Task, values: list[str], otherwise: str) -> str:
    branches = [f"WHEN NOT outcome <=> '{Outcome.OK}' THEN NULL"]
    branches += [
        f"WHEN ({condition}) THEN {value}" for (_, condition), value in zip(rule_conditions(task), values, strict=True)
    ]
    return f"CAST(CASE {' '.join(branches)} ELSE {otherwise} END AS STRING)"

"""The tag of an image as one expression of Spark SQL, assembled of the rules of a task."""

from eoltag.decide.task import Task, rule_conditions, text_literal
from eoltag.records import Outcome

__all__ = ["confidences_of_tags", "given_expression", "rule_expression", "tag_expression"]


def tag_expression(task: Task) -> str:
    """The tag: NULL for an image that failed, that of the first rule that holds, else the task's missing literal."""
    return _case(task, _tags_of_rules(task), text_literal(task.file.missing))


def given_expression(task: Task) -> str:
    """Of a task with several tags: array<struct<tag, rule, confidence>> of every rule that holds.

    The confidence is the score of the label that the rule asks for; where it asks for none, or for several, that of the
    first model in its best label. NULL for an image that failed.
    """
    each = zip(rule_conditions(task), _tags_of_rules(task), _confidences(task), strict=True)
    given_by_rules = [
        f"CASE WHEN ({condition}) THEN named_struct('tag', CAST({tag} AS STRING), 'rule', {text_literal(name)}, "
        f"'confidence', {confidence}) END"
        for (name, condition), tag, confidence in each
    ]
    kind = "ARRAY<STRUCT<tag: STRING, rule: STRING, confidence: FLOAT>>"
    given = f"CAST(array_compact(array({', '.join(given_by_rules)})) AS {kind})"
    return f"CASE WHEN outcome <=> '{Outcome.OK}' THEN filter({given}, given -> given.tag IS NOT NULL) END"


def confidences_of_tags(task: Task) -> dict[str, str]:
    """Tag -> how sure the models are of it, as SQL, whoever gives it: as its first rule has it."""
    known: dict[str, str] = {}
    for rule, confidence in zip(task.file.rules, _confidences(task), strict=True):
        if rule.tag is not None:
            known.setdefault(rule.tag, confidence)
    return known


def _confidences(task: Task) -> list[str]:
    """How sure the tag of each rule is, as SQL."""
    from eoltag.decide.own_labels import own_labels  # brings sqlglot

    return ["confidence" if own is None else f"`{own[0]}`.scores[{text_literal(own[1])}]" for own in own_labels(task)]


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

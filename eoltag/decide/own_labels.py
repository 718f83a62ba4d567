"""Which label of a model a rule asks for: the score of that label is how sure the tag of the rule is.

It brings sqlglot with it, as decide.expressions does: imported only for tasks that give an image several tags.
"""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from eoltag.decide.expressions import BY_LABEL, read_loosely, texts_compared
from eoltag.decide.task import Task, rule_conditions

Owner = tuple[str, str]
"""(model, label)."""


def own_labels(task: Task) -> list[Owner | None]:
    """The label that each rule asks for, in the order of the rules; None where it asks for none, or for several.

    A rule asks for a label where the score of that label must be high enough, or `label` equal to it. Of a rule that
    asks for several the one counts that is called like its tag.
    """
    models = list(task.packages)
    return [
        _own(list(_asked(condition, models)), rule.tag)
        for rule, (_, condition) in zip(task.file.rules, rule_conditions(task), strict=True)
    ]


def _own(asked: Sequence[Owner], tag: str | None) -> Owner | None:
    named = [owner for owner in asked if owner[1] == tag]
    if named or len({label for _, label in asked}) == 1:
        return (named or asked)[0]
    return None


def _asked(condition: str, models: Sequence[str]) -> Iterator[Owner]:
    tree = read_loosely(condition)
    for node in tree.walk(bfs=False) if tree is not None else ():
        if node.find_ancestor(exp.Not) is not None:
            continue
        if (high := _larger(node)) is not None:
            found = [one for part in high.walk(bfs=False) for one in texts_compared(part, models)]
            yield from ((model, text) for model, column, text in found if column in BY_LABEL)
        elif isinstance(node, exp.EQ | exp.NullSafeEQ | exp.In):
            yield from ((model, text) for model, column, text in texts_compared(node, models) if column == "label")


def _larger(node: exp.Expr) -> exp.Expr | None:
    """The side of a comparison that must be the larger one, or that must lie between two numbers."""
    if isinstance(node, exp.GT | exp.GTE):
        return node.left
    if isinstance(node, exp.LT | exp.LTE):
        return node.right
    return node.this if isinstance(node, exp.Between) else None

"""The numbers that the rules of a task compare `confidence` and `logit` with, for thresholds in charts and galleries.

It brings sqlglot with it, as decide.expressions does: imported only where cuts are wanted.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from sqlglot import exp

from eoltag.decide.expressions import column_of, read_loosely, texts_compared
from eoltag.records import Cut, Measure

_MEASURES: Final[dict[str, Measure]] = {"confidence": "confidence", "logit": "logit"}


def find_cuts(conditions: Iterable[tuple[str, str]], models: Sequence[str]) -> list[Cut]:
    """Every comparison of a score with a number, in the order of the rules, each once.

    conditions: (rule name, SQL with thresholds filled in), as decide.rule_conditions gives them; one that cannot be
    read has no cuts. models: of the task; bare names mean the first one.
    """
    trees = [(rule, read_loosely(condition)) for rule, condition in conditions]
    parts = [(rule, part) for rule, tree in trees if tree is not None for part in _alternatives(tree)]
    return list(dict.fromkeys(cut for rule, part in parts for cut in _cuts_of(part, rule, models)))


def _alternatives(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The parts of a condition between the ORs that stand outside of all else."""
    tree = tree.unnest()
    if isinstance(tree, exp.Or):
        yield from _alternatives(tree.left)
        yield from _alternatives(tree.right)
    else:
        yield tree


def _cuts_of(part: exp.Expr, rule: str, models: Sequence[str]) -> Iterator[Cut]:
    for node in part.walk(bfs=False):
        for side, number in _compared(node):
            model, name = column_of(side, models) or ("", "")
            if name in _MEASURES:
                yield Cut(rule, model, _MEASURES[name], number, _labels(part, model, models))


def _compared(node: exp.Expr) -> Iterator[tuple[exp.Expr, float]]:
    """(what is compared, the number) of <, <=, >, >= and BETWEEN, whichever side the number is on."""
    pairs = []
    if isinstance(node, exp.Between):
        pairs = [(node.this, node.args["low"]), (node.this, node.args["high"])]
    elif isinstance(node, exp.GT | exp.GTE | exp.LT | exp.LTE):
        pairs = [(node.left, node.right), (node.right, node.left)]
    for side, other in pairs:
        number = _number(other.unnest())
        if number is not None:
            yield side.unnest(), number


def _number(node: exp.Expr) -> float | None:
    """A number as it is written: 1.5, -2, 1.5F."""
    if isinstance(node, exp.Neg):
        number = _number(node.this)
        return None if number is None else -number
    literal = node.this if isinstance(node, exp.Cast) else node
    if isinstance(literal, exp.Literal) and not (literal is node and literal.is_string):
        with suppress(ValueError):
            return float(literal.name)
    return None


def _labels(part: exp.Expr, model: str, models: Sequence[str]) -> tuple[str, ...]:
    """The labels of this model that the part asks for by = or IN; none where they do not restrict it."""
    asked = [node for node in part.walk(bfs=False) if isinstance(node, exp.EQ | exp.NullSafeEQ | exp.In)]
    found = [text for node in asked if not node.find_ancestor(exp.Not) for text in texts_compared(node, models)]
    return tuple(dict.fromkeys(text for owner, column, text in found if (owner, column) == (model, "label")))

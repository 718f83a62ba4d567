"""SQL expressions of a task file as trees, read by sqlglot and held against the list of what they may hold.

Importing sqlglot takes a third of a second, so this module is imported only where rules are read.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.spark import SparkParser
from sqlglot.tokenizer_core import Token, TokenType

from eoltag.decide.functions import ALLOWED, reason_against


class Refused(ValueError):
    """The text is no SQL expression, or holds what no rule may hold."""


class RuleDialect(Spark):
    """Spark's SQL with every function left under its written name, so that a list of names can judge it."""

    class Parser(SparkParser):
        FUNCTIONS: ClassVar[Any] = {}
        # These have a grammar of their own, such as TRIM(BOTH 'x' FROM y).
        FUNCTION_PARSERS: ClassVar[Any] = {
            name: SparkParser.FUNCTION_PARSERS[name]
            for name in ("CAST", "EXTRACT", "OVERLAY", "POSITION", "SUBSTRING", "TRIM", "TRY_CAST")
        }
        NO_PAREN_FUNCTION_PARSERS: ClassVar[Any] = {
            name: SparkParser.NO_PAREN_FUNCTION_PARSERS[name] for name in ("ANY", "CASE", "IF")
        }
        # sqlglot would read array(1, 2)[0] as a list of one and lose the arguments.
        ARRAY_CONSTRUCTORS: ClassVar[Any] = {}


_DIALECT: Final = RuleDialect()
_KINDS: Final = (
    *(exp.And, exp.Or, exp.Not, exp.Paren, exp.Case, exp.If, exp.Column, exp.Identifier, exp.Bracket, exp.Tuple),
    *(exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Is),
    *(exp.Like, exp.ILike, exp.RegexpLike, exp.Escape, exp.Any, exp.All),
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.DPipe),
    *(exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot),
    *(exp.Literal, exp.RawString, exp.Concat, exp.Boolean, exp.Null, exp.Interval, exp.IntervalSpan, exp.Var),
    *(exp.Cast, exp.DataType, exp.DataTypeParam, exp.ColumnDef),
    *(exp.Anonymous, exp.Lambda, exp.Dot, exp.Extract, exp.Overlay, exp.StrPosition, exp.Substring, exp.Trim),
)
"""What a tree may be made of; exp.Concat is two string literals side by side."""
_BEFORE_BRACKETS: Final = frozenset(
    {"all", "and", "any", "between", "both", "case", "div", "else", "escape", "for", "from", "in", "leading", "not"}
    | {"or", "then", "trailing", "varchar", "when"}
)
"""Words that stand before an opening bracket without being a function."""
_CLOCK: Final = frozenset({"now", "today", "tomorrow", "yesterday"})
"""Texts that Spark reads as a time which differs from run to run."""
BY_LABEL: Final = ("scores", "logits")
"""Columns that hold a number for each label."""
_PAIRS: Final = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)


def read(text: str) -> exp.Expr:
    """The expression as a tree that holds nothing but what a rule may hold. Raises Refused."""
    tree, tokens = _parsed(text)
    _check_tokens(tokens)
    for node in tree.walk():
        _check_node(node)
    return tree


def read_loosely(text: str) -> exp.Expr | None:
    """The tree of an expression that was checked when it was first used; None where the parser does not understand."""
    try:
        return _parsed(text)[0]
    except Refused:
        return None


def column_of(node: object, models: Sequence[str]) -> tuple[str, str] | None:
    """(model, name in lower case) of a column, where bare names mean the first model; None for anything else."""
    if not isinstance(node, exp.Column):
        return None
    *prefix, name = (part.name.lower() for part in node.parts)
    if not prefix:
        return models[0], name
    return next(((model, name) for model in models if prefix == [model.lower()]), None)


def texts_compared(node: exp.Expr, models: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(model, column, text) for each text that this node compares a column with, or takes a score out by."""
    if isinstance(node, exp.Column) and (owner := _scores_of(node, models)):
        yield owner, node.parts[-2].name.lower(), node.name
    for column, other in _beside(node):
        found = column_of(column, models)
        if found is not None and isinstance(other, exp.Literal) and other.is_string:
            yield *found, other.name


def _beside(node: exp.Expr) -> Iterator[tuple[object, object]]:
    """(what may be a column, what it is compared with)."""
    if isinstance(node, _PAIRS):
        yield node.left.unnest(), node.right.unnest()
        yield node.right.unnest(), node.left.unnest()
    elif isinstance(node, exp.In):
        yield from ((node.this.unnest(), choice) for choice in node.expressions)
    elif isinstance(node, exp.Bracket) and len(node.expressions) == 1:
        yield node.this, node.expressions[0]
    elif isinstance(node, exp.Anonymous) and node.name.lower() in ("element_at", "try_element_at"):
        yield tuple(node.expressions[:2]) if len(node.expressions) > 1 else (None, None)


def _scores_of(column: exp.Column, models: Sequence[str]) -> str | None:
    """The model whose scores are taken out as scores.LABEL, logits.LABEL or MODEL.scores.LABEL."""
    *prefix, last = [part.name.lower() for part in column.parts][:-1] or [""]
    if last not in BY_LABEL:
        return None
    return next((model for model in models if prefix == [model.lower()]), models[0] if not prefix else None)


def _parsed(text: str) -> tuple[exp.Expr, list[Token]]:
    wanted = f"an expression in SQL was wanted. Received: {' '.join(text.split()) or 'nothing'}"
    try:
        tokens = _DIALECT.tokenize(text)
        trees = _DIALECT.parser().parse(tokens, text)
    except ParseError as problem:
        raise Refused(f"{wanted}, not understood at '{problem.errors[0]['highlight']}'") from problem
    except TokenError as problem:
        raise Refused(f"{wanted}, in which a quote is never closed") from problem
    except RecursionError as problem:
        raise Refused(f"{wanted[:150]}..., nested too deeply") from problem
    if len(trees) != 1:
        raise Refused(f"one expression was wanted. Received: {len(trees)}, with ; between them")
    if trees[0] is None:
        raise Refused(wanted)
    return trees[0], tokens


def _check_tokens(tokens: Sequence[Token]) -> None:
    """Refuse comments, and calls of functions that are not in the list: whatever the tree makes of them."""
    for token in tokens:
        if token.comments:
            comment = token.comments[0].strip()
            raise Refused(f"an expression without comments was wanted. Received: a comment '{comment}'")
    for before, token in pairwise(tokens):
        if token.token_type != TokenType.L_PAREN:
            continue
        is_text = before.token_type in (TokenType.STRING, TokenType.IDENTIFIER)
        if is_text or not re.fullmatch(r"[^\w)\]]+", before.text):
            _check_name(before.text, ALLOWED | _BEFORE_BRACKETS)


def _check_name(name: str, allowed: frozenset[str] = ALLOWED) -> None:
    if name.lower() not in allowed:
        raise Refused(
            f"a function of docs/reference/task-files.md was wanted. Received: {name}{reason_against(name.lower())}"
        )


def _check_node(node: exp.Expr) -> None:
    if isinstance(node, exp.Query | exp.Values | exp.Table) or (isinstance(node, exp.In) and node.args.get("query")):
        raise Refused(f"an expression over the columns of its row was wanted. Received: a subquery, {_shown(node)}")
    if isinstance(node, exp.Anonymous):
        _check_name(node.name)
    if isinstance(node, exp.Func) and reason_against(node.sql_name().lower()):
        _check_name(node.sql_name())  # CURRENT_DATE and others that need no brackets
    is_star = isinstance(node, exp.Column) and isinstance(node.this, exp.Star)
    is_call_of = isinstance(node, exp.Dot) and not isinstance(node.expression, exp.Identifier)
    is_misplaced = isinstance(node, exp.Any | exp.All) and not isinstance(node.parent, exp.Like | exp.ILike)
    if is_star or is_call_of or is_misplaced or not isinstance(node, _KINDS):
        raise Refused(f"an expression over the columns of its row was wanted. Received: {_shown(node)}")
    if isinstance(node, exp.Column) and len(node.parts) == 1 and reason_against(node.name.lower()):
        _check_name(node.name)  # Spark calls user, current_time and others where no column has the name
    if isinstance(node, exp.Literal) and node.is_string and node.name.strip().lower() in _CLOCK and _is_time(node):
        raise Refused(f"a time that stands still was wanted. Received: '{node.name}', which differs from run to run")


def _is_time(text: exp.Literal) -> bool:
    """A text stands where Spark may read it as a time."""
    parent = text.parent
    sides = [node.name.lower() for node in parent.iter_expressions()] if isinstance(parent, exp.Binary) else []
    return isinstance(parent, exp.Cast | exp.Anonymous) or "fetched_at" in sides


def _shown(node: exp.Expr) -> str:
    written = node.sql(dialect="spark")
    return written if len(written) <= 60 else f"{written[:57]}..."

"""Can a rule ever hold? Conditions as trees, and the values that would make them true, false or neither.

SQL's logic has three values: a comparison with NULL is neither true nor false, and a rule that is NULL does not hold.
Terms (a column, or anything that is not looked into) are taken for independent of each other, so that what is called
impossible here is impossible, while some impossible rules pass.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import inf
from typing import Final, Literal

Value = str | float | bool | None
Aim = Literal["true", "false", "not true", "not false"]
"""What a condition is to be. "not true" is false or NULL."""

MOST_CASES: Final = 2000
"""Conditions that branch further are not looked into."""

_OPPOSITE: Final[dict[Aim, Aim]] = {
    "true": "false",
    "false": "true",
    "not true": "not false",
    "not false": "not true",
}
_NEGATED: Final = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True, slots=True)
class Literally:
    """A constant."""

    value: Value


@dataclass(frozen=True, slots=True)
class Compared:
    """A term beside a constant: =, <>, <, <=, > or >=."""

    term: str
    sign: str
    value: str | float


@dataclass(frozen=True, slots=True)
class Opaque:
    """True, false or NULL for reasons that are not looked into; the same text means the same."""

    text: str


@dataclass(frozen=True, slots=True)
class Joined:
    """AND or OR."""

    sign: Literal["and", "or"]
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """NOT."""

    part: "Condition"


Condition = Literally | Compared | Opaque | Joined | Negated


@dataclass(frozen=True, slots=True)
class Values:
    """The values that a term can have."""

    among: frozenset[Value] | None = None
    """These and no others; None: any but `except_for`, within the bounds if it is a number."""
    except_for: frozenset[Value] = frozenset()
    low: float = -inf
    low_open: bool = False
    high: float = inf
    high_open: bool = False
    may_be_null: bool = True

    def has(self, value: Value) -> bool:
        """It can be that value."""
        if self.among is not None and value not in self.among:
            return False
        if value in self.except_for:
            return False
        if isinstance(value, float) and (value < self.low or value > self.high):
            return False
        return not ((value == self.low and self.low_open) or (value == self.high and self.high_open))

    @property
    def is_impossible(self) -> bool:
        """There is no such value."""
        if self.may_be_null:
            return False
        if self.among is not None:
            return not any(self.has(value) for value in self.among)
        return self.low > self.high or (self.low == self.high and not self.has(self.low))

    def __and__(self, other: "Values") -> "Values":
        among = other.among if self.among is None else self.among
        if self.among is not None and other.among is not None:
            among = self.among & other.among
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, shut = min((self.high, not self.high_open), (other.high, not other.high_open))
        null = self.may_be_null and other.may_be_null
        return Values(among, self.except_for | other.except_for, low, low_open, high, not shut, null)


Case = Mapping[str, Values]
"""Term -> the values that it must have, all at once."""


def cases(condition: Condition, aim: Aim) -> list[Case] | None:
    """Every way in which the condition can be what it is to be; None where there are too many to look at."""
    match condition:
        case Literally(value):
            is_met = {"true": value is True, "false": value is False, "not true": value is not True}
            return [{}] if is_met.get(aim, value is not False) else []
        case Negated(part):
            return cases(part, _OPPOSITE[aim])
        case Compared(term, sign, compared):
            wanted = sign if aim in ("true", "not false") else _NEGATED[sign]
            return [{term: _compared(wanted, compared, may_be_null=aim.startswith("not"))}]
        case Opaque(text):
            is_true = aim in ("true", "not false")
            return [{text: Values(among=frozenset({is_true}), may_be_null=aim.startswith("not"))}]
        case Joined(sign, parts):
            found = [cases(part, aim) for part in parts]
            if (sign == "and") == (aim in ("true", "not false")):
                everything: list[Case] | None = [{}]
                return reduce(both, found, everything)
            return None if None in found else [case for branch in found if branch for case in branch]


def both(first: list[Case] | None, second: list[Case] | None) -> list[Case] | None:
    """Every way in which both can be; those that contradict themselves left out."""
    if first is None or second is None or len(first) * len(second) > MOST_CASES:
        return None
    merged = (_merged(one, other) for one, other in product(first, second))
    return [case for case in merged if not any(values.is_impossible for values in case.values())]


def compared_with(condition: Condition) -> Iterator[tuple[str, str | float]]:
    """Every (term, constant) that it compares."""
    match condition:
        case Compared(term, _, value):
            yield term, value
        case Negated(part):
            yield from compared_with(part)
        case Joined(_, parts):
            for part in parts:
                yield from compared_with(part)


def why_never(condition: Condition, domains: Case, earlier: Sequence[tuple[str, Condition]]) -> str | None:
    """Why a rule never fires; None where it may. earlier: the names and conditions of the rules tried before it."""
    ways = cases(condition, "true")
    if ways is None:
        return None
    if not ways:
        return "it is false or contradicts itself, whatever the image"
    possible = both(ways, [domains])
    if not possible:
        return None if possible is None else _impossible(ways[0], domains)
    for name, before in earlier:
        if both(possible, cases(before, "not true")) == []:
            return f"whenever it holds, rule '{name}' before it holds as well"
    for _, before in earlier:
        left = both(possible, cases(before, "not true"))
        if left == []:
            return "wherever it holds, one of the rules before it holds as well"
        possible = left if left is not None else possible
    return None


def _impossible(way: Case, domains: Case) -> str:
    for term, values in way.items():
        if term in domains and (values & domains[term]).is_impossible:
            domain = domains[term]
            if domain.among is not None:
                return f"{term} is one of {', '.join(sorted(map(str, domain.among)))}"
            return f"{term} lies between {domain.low:g} and {domain.high:g}"
    return "no image is like that"


def _merged(one: Case, other: Case) -> Case:
    return {**one, **{term: values & one[term] if term in one else values for term, values in other.items()}}


def _compared(sign: str, value: str | float, *, may_be_null: bool) -> Values:
    if sign == "=":
        return Values(among=frozenset({value}), may_be_null=may_be_null)
    if sign == "<>":
        return Values(except_for=frozenset({value}), may_be_null=may_be_null)
    bound = float(value)
    if sign in ("<", "<="):
        return Values(high=bound, high_open=sign == "<", may_be_null=may_be_null)
    return Values(low=bound, low_open=sign == ">", may_be_null=may_be_null)

"""Where the rules of a task cut: the numbers that they compare `confidence` and `logit` with, read from their SQL.

A tolerant reader for drawing lines and finding images near them, not a parser of SQL: what it does not understand gives
no line. The rules themselves are judged by Spark alone.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from eoltag.records import Cut, Measure

_TOKEN: Final = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?:BD|[dDfF])?(?![\w.]))
    |(?P<name>`?[A-Za-z_]\w*`?(?:\s*\.\s*`?[A-Za-z_]\w*`?)*)
    |(?P<sign><=>|<=|>=|<>|!=|==|\S)""",
    re.VERBOSE | re.DOTALL,
)
_MEASURES: Final[dict[str, Measure]] = {"confidence": "confidence", "logit": "logit"}
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_ARITHMETIC: Final = frozenset("+-*/%|&^~[")
_SUFFIX: Final = re.compile(r"(?:BD|[dDfF])$")


class _Token(NamedTuple):
    kind: str
    text: str
    """Names in lower case without backticks, strings without quotes."""


def find_cuts(conditions: Iterable[tuple[str, str]], models: Sequence[str]) -> list[Cut]:
    """Every comparison of a score with a number, in the order of the rules, each once.

    conditions: (rule name, SQL with thresholds filled in), as decide.rule_conditions gives them. models: of the task;
    bare names mean the first one.
    """
    cuts: list[Cut] = []
    for rule, condition in conditions:
        for part in _alternatives(_tokens(condition)):
            cuts += [cut for cut in _cuts_of(part, rule, models) if cut not in cuts]
    return cuts


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        word = match.group()
        if kind == "name":
            word = re.sub(r"[`\s]", "", word).lower()
        elif kind == "string":
            word = re.sub(r"\\(.)", r"\1", word[1:-1])
        found.append(_Token(kind, word))
    return _with_signs(found)


def _with_signs(tokens: list[_Token]) -> list[_Token]:
    """A minus that belongs to a number joined with it."""
    joined: list[_Token] = []
    for token in tokens:
        before = joined[-2] if len(joined) > 1 else _Token("sign", "(")
        is_operand = before.kind in ("number", "string") or before.text == ")"
        is_operand |= before.kind == "name" and before.text not in (
            "and",
            "or",
            "not",
            "between",
            "when",
            "then",
            "else",
        )
        if token.kind == "number" and joined and joined[-1].text in ("-", "+") and not is_operand:
            sign = joined.pop().text
            token = _Token("number", f"{sign}{token.text}")
        joined.append(token)
    return joined


def _alternatives(tokens: list[_Token]) -> list[list[_Token]]:
    """The condition cut at the ORs that stand outside of all brackets."""
    while tokens and tokens[0].text == "(" and _closing(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")") if token.kind == "sign" else 0
        if depth == 0 and token == _Token("name", "or"):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts if len(parts) == 1 else [deeper for part in parts for deeper in _alternatives(part)]


def _closing(tokens: list[_Token]) -> int:
    """Where the bracket that opens at 0 closes."""
    depth = 0
    for number, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")") if token.kind == "sign" else 0
        if depth == 0:
            return number
    return len(tokens)


def _cuts_of(tokens: list[_Token], rule: str, models: Sequence[str]) -> list[Cut]:
    known = {model.lower(): model for model in models}
    found = []
    for number, token in enumerate(tokens):
        prefix, _, name = token.text.rpartition(".")
        model = known.get(prefix or models[0].lower())
        if token.kind != "name" or name not in _MEASURES or model is None:
            continue
        for value in _values(tokens, number):
            cut = Cut(rule, model, _MEASURES[name], value, _labels(tokens, model, models))
            if cut not in found:
                found.append(cut)
    return found


def _values(tokens: list[_Token], at: int) -> list[float]:
    """The numbers that the score at this place is compared with."""
    word = [_Token("sign", "(")] * 2 + tokens + [_Token("sign", ")")] * 5
    at += 2
    before, sign, value = word[at - 2], word[at - 1], word[at + 2]
    is_free = sign.text not in _ARITHMETIC
    if word[at + 1].text in _ORDER and value.kind == "number" and is_free and word[at + 3].text not in _ARITHMETIC:
        return [_number(value)]
    if word[at + 1].text == "between" and [word[at + n].kind for n in (2, 4)] == ["number", "number"] and is_free:
        return [_number(value), _number(word[at + 4])]
    is_last = word[at + 1].text not in _ARITHMETIC
    if sign.text in _ORDER and before.kind == "number" and is_last and word[at - 3].text not in _ARITHMETIC:
        return [_number(before)]
    return []


def _number(token: _Token) -> float:
    return float(_SUFFIX.sub("", token.text))


def _labels(tokens: list[_Token], model: str, models: Sequence[str]) -> tuple[str, ...]:
    """What `label = '...'` and `label IN (...)` of this model name; none where they do not restrict it."""
    names = {f"{model.lower()}.label", *(["label"] if model == models[0] else [])}
    found: list[str] = []
    for number, token in enumerate(tokens):
        if token.kind != "name" or token.text not in names:
            continue
        rest = tokens[number + 1 :]
        if len(rest) > 1 and rest[0].text in ("=", "==", "<=>") and rest[1].kind == "string":
            found.append(rest[1].text)
        elif len(rest) > 1 and rest[0].text == "in":
            found += [word.text for word in rest[1 : 1 + _closing(rest[1:])] if word.kind == "string"]
    return tuple(dict.fromkeys(found))

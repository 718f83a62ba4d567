"""README.md taken apart, for the tests that keep it true."""

import re
from typing import Final

from tests.support.paths import ROOT

TEXT: Final = (ROOT / "README.md").read_text(encoding="utf-8")

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^(#+) (.+)$", re.MULTILINE)


def blocks(language: str, text: str = TEXT) -> list[str]:
    """The fenced blocks of one language."""
    return [found.group(2) for found in _FENCE.finditer(text) if found.group(1) == language]


def prose(text: str = TEXT) -> str:
    """Everything outside fenced blocks."""
    return _FENCE.sub("", text)


def section(title: str) -> str:
    """What stands below a heading, up to the next of its level; fenced blocks included."""
    masked = _FENCE.sub(lambda found: " " * len(found.group()), TEXT)
    headings = list(_HEADING.finditer(masked))
    at = next(number for number, found in enumerate(headings) if found.group(2) == title)
    level = len(headings[at].group(1))
    ends = [found.start() for found in headings[at + 1 :] if len(found.group(1)) <= level]
    return TEXT[headings[at].end() : ends[0] if ends else len(TEXT)]


def headings(text: str = TEXT) -> list[str]:
    """Titles of all headings."""
    return [found.group(2) for found in _HEADING.finditer(prose(text))]


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings: lower case, hyphens for spaces, nothing but letters, digits, - and _."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings(text)}


def tables(title: str) -> list[list[list[str]]]:
    """The tables below a heading: their rows without the header, as cells."""
    found: list[list[list[str]]] = [[]]
    for line in prose(section(title)).splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [rows[2:] for rows in found if rows]


def code(cell: str) -> str:
    """The cell's text in code style."""
    found = spans(cell)
    assert found, f"no code in the cell {cell!r}"
    return found[0]


def spans(text: str = TEXT) -> list[str]:
    """Words in code style, outside fenced blocks."""
    return [found.group(2).strip() for found in re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", prose(text))]


def matches(line: str, pattern: str) -> bool:
    """The line is the pattern, in which an ellipsis stands for anything."""
    return re.fullmatch(".*?".join(re.escape(part) for part in pattern.split("…")), line) is not None


def said(situation: str) -> str:
    """What the page says that a mistake is answered with."""
    (rows,) = tables("When something is wrong")
    return {row[0]: code(row[1]) for row in rows}[situation]

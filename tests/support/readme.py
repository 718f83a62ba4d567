"""The pages for people taken apart: README.md and docs/, for the tests that keep them true."""

import re
from typing import Final

from tests.support.paths import ROOT

PAGES: Final[dict[str, str]] = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (
        *(path for path in sorted(ROOT.glob("*.md")) if path.name != "CHANGELOG.md"),
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "eoltag/architecture.md",
        ROOT / "train/README.md",
    )
}
"""Path -> text. The change log is left out, since it tells of what is no more."""

OURS: Final = ("make ", "./spark-submit.sh ", "python -m ")
"""What the commands begin with that are of this project."""

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED: Final = re.compile(r"(?<=\n\n)(?:    .+\n+)+")
_HEADING: Final = re.compile(r"^(#+) (.+)$", re.MULTILINE)


def page(name: str) -> str:
    """The text of `docs/NAME`."""
    return PAGES[f"docs/{name}"]


def blocks(language: str, text: str) -> list[str]:
    """The fenced blocks of one language."""
    return [found.group(2) for found in _FENCE.finditer(text) if found.group(1) == language]


def indented(text: str) -> list[str]:
    """The blocks that are set off by four spaces."""
    return [found.group() for found in _INDENTED.finditer(_FENCE.sub("", text))]


def prose(text: str) -> str:
    """Everything outside fenced blocks."""
    return _FENCE.sub("", text)


def section(title: str, text: str) -> str:
    """What stands below a heading, up to the next of its level; fenced blocks included."""
    masked = _FENCE.sub(lambda found: " " * len(found.group()), text)
    headings = list(_HEADING.finditer(masked))
    at = next(number for number, found in enumerate(headings) if found.group(2) == title)
    level = len(headings[at].group(1))
    ends = [found.start() for found in headings[at + 1 :] if len(found.group(1)) <= level]
    return text[headings[at].end() : ends[0] if ends else len(text)]


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings: lower case, hyphens for spaces, nothing but letters, digits, - and _."""
    titles = [found.group(2) for found in _HEADING.finditer(prose(text))]
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a page or section: their rows without the header, as cells."""
    found: list[list[list[str]]] = [[]]
    for line in prose(text).splitlines():
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


def spans(text: str) -> list[str]:
    """Words in code style, outside fenced blocks."""
    return [found.group(2).strip() for found in re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", prose(text))]


def commands_of(text: str) -> set[str]:
    """Every shell command of ours on a page: in blocks, after a prompt, or in code style."""
    lines = [line for block in blocks("sh", text) for line in block.replace("\\\n", " ").splitlines()]
    lines += [line for block in indented(text) for line in block.replace("\\\n", " ").splitlines()]
    lines += [line for block in blocks("text", text) for line in block.splitlines() if line.startswith("$ ")]
    lines += spans(re.sub(r"^#.*$", "", text, flags=re.MULTILINE))
    bare = [line.strip().removeprefix("$ ").partition("  #")[0] for line in lines]
    return {line for line in bare if re.sub(r"^([A-Z_]+=\S+ )+", "", line).startswith(OURS)}


def links(text: str) -> list[str]:
    """Where the links and pictures of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(text)))


def matches(line: str, pattern: str) -> bool:
    """The line is the pattern, in which an ellipsis stands for anything."""
    return re.fullmatch(".*?".join(re.escape(part) for part in pattern.split("…")), line) is not None


def said(situation: str) -> str:
    """What the pages say that a mistake is answered with."""
    (rows,) = tables(section("What is refused", page("reference/errors.md")))
    return {row[0]: code(row[1]) for row in rows}[situation]

"""Markdown as the pages use it: tables, paragraphs, and regions that are filled from the code."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

BEGIN: Final = "<!-- generated: {} -->"
END: Final = "<!-- end of generated -->"
_REGION: Final = re.compile(r"<!-- generated: ([\w -]+) -->\n(.*?)<!-- end of generated -->", re.DOTALL)
_CODE: Final = re.compile(r"(`[^`]*`)")
_OPTION: Final = re.compile(r"(?<![\w/-])--[a-z][a-z0-9-]*")
_PROGRAMS: Final = ("./", "python ", "curl ", "cut ")


def filled(text: str, parts: Mapping[str, Callable[[], str]], page: str) -> str:
    """The page with every generated region made again. Raises ValueError where a region names no known part."""

    def region(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in parts:
            raise ValueError(f"{page}: unknown generated part '{name}'; known here: {', '.join(sorted(parts))}")
        return f"{BEGIN.format(name)}\n\n{parts[name]().strip()}\n\n{END}"

    return _REGION.sub(region, text)


def used_parts(text: str) -> list[str]:
    """The names of the regions of a page."""
    return [found.group(1) for found in _REGION.finditer(text)]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Cells are Markdown already, but for the bars in them."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """Text in code style."""
    return f"`{text}`"


def plain(text: str) -> str:
    """A sentence from the code on one line: options in code style, Markdown's own signs escaped."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if part.startswith("`") else _escaped(part) for part in parts)


def prose(text: str) -> str:
    """The help text of a command: paragraphs as they are, indented lines as blocks."""
    made = []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        for is_block, lines in groupby(paragraph.splitlines(), key=lambda line: line.startswith("  ")):
            block = "\n".join(line.removeprefix("  ") for line in lines)
            if not is_block:
                made.append(_sentence(plain(block)))
            else:
                made.append(f"```{'sh' if block.startswith(_PROGRAMS) else 'text'}\n{block}\n```")
    return "\n\n".join(made)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _escaped(text: str) -> str:
    quiet = text.replace("*", r"\*").replace("<", r"\<")
    return _OPTION.sub(lambda found: code(found.group()), quiet)

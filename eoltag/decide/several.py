"""Tasks that give an image several tags: what `multiple = true` means, as SQL and as text."""

from collections.abc import Mapping, Sequence
from typing import Literal

from eoltag.records import JOINER

TagRows = Literal["joined", "each"]
"""How several tags stand in the exported files: in one cell of one row, or in a row each."""


def refused(names: Mapping[str, str], rows: TagRows, *, multiple: bool) -> str | None:
    """Why a task file cannot be, None where it can. names: rule or tag -> what it is, for the message."""
    if not multiple:
        return "tag_rows: is for tasks with multiple = true" if rows != "joined" else None
    for name, what in names.items():
        if JOINER in name:
            return f"{what} '{name}': `{JOINER}` stands between several tags; wanted a name without it"
    return None


def rows_of_each(rules: Sequence[str], rows: Mapping[str, int]) -> dict[str, int]:
    """Every rule -> the rows that it gave a tag. rows: joined names of rules -> rows."""
    fired = [((names or "").split(JOINER), number) for names, number in rows.items()]
    return {rule: sum(number for names, number in fired if rule in names) for rule in rules}

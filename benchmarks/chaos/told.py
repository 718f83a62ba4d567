"""What became of one kind of fault, as a row of the table."""

from dataclasses import dataclass, field
from typing import Final

HEADER: Final = (
    "kind         struck  starts  hangs  orphans  leftovers  wrong  lost  doubled  different  asked again  seconds"
)
_MOST_DETAILS: Final = 12


@dataclass(slots=True)
class Told:
    """What one kind of fault came to, held against an undisturbed run."""

    kind: str
    blows: int = 0
    """Kills, signals, outages: what was done to the runs."""
    starts: int = 0
    hangs: int = 0
    orphans: int = 0
    leftovers: int = 0
    wrong: int = 0
    """Exit codes, lines on stderr, and what else a kind looks at."""
    lost: int = 0
    doubled: int = 0
    different: int = 0
    asked_again: int = 0
    """Requests for what had been asked for before."""
    seconds: float = 0.0
    skipped: str = ""
    """Why this kind could not be tried here."""
    details: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """What should all be 0."""
        broken = self.hangs + self.orphans + self.leftovers + self.wrong
        return broken + self.lost + self.doubled + self.different

    def wrongly(self, what: str) -> None:
        """Count something that should not be, and keep a line of it."""
        self.wrong += 1
        self.details.append(what)

    def row(self) -> str:
        """A row of the table."""
        if self.skipped:
            return f"{self.kind:<12} skipped: {self.skipped}"
        return (
            f"{self.kind:<12} {self.blows:6} {self.starts:7} {self.hangs:6} {self.orphans:8} {self.leftovers:10} "
            f"{self.wrong:6} {self.lost:5} {self.doubled:8} {self.different:10} {self.asked_again:12} "
            f"{self.seconds:8.0f}"
        )

    def lines(self) -> str:
        """The row, and what it counts as faults below it."""
        return "\n    ".join([self.row(), *(line[:200] for line in self.details[:_MOST_DETAILS])])

"""What is wrong in an output directory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    place: str
    """A file or folder below the output directory."""
    what: str
    """What was wanted and what is there."""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"

"""Which attempt of a folder is chosen: the best by validation, or the one that a person names."""

from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from eoltag.model.attempts import PACKAGE_FOLDER, Choice, finished_attempts, read_choice, write_choice
from eoltag.model.package import read_package

BEST: Final = "best"


def choose(out: Path, name: str) -> Choice:
    """Write the choice of an attempt, or of the best by validation, which later attempts may then displace.

    Raises DataError where there is no such attempt.
    """
    figures = _figures(out)
    if not figures:
        raise DataError(f"{out}: --choose: no finished attempt is there")
    known = {folder.name for folder in finished_attempts(out)}
    taken = _best(figures) if name == BEST else name.zfill(3)
    if taken not in known:
        raise DataError(f"--choose: wanted {BEST} or one of {', '.join(sorted(known))}. Received: {name!r}")
    accuracies = {attempt: accuracy for attempt, (accuracy, _) in figures.items()}
    choice = Choice(attempt=taken, by="validation" if name == BEST else "hand", val_accuracy=accuracies)
    write_choice(out, choice)
    return choice


def choose_after(out: Path) -> Choice:
    """The choice after a new attempt: what a person has chosen stays, else the best by validation."""
    before = read_choice(out)
    return choose(out, before.attempt if before is not None and before.by == "hand" else BEST)


def said(out: Path, choice: Choice) -> str:
    """The choice as a sentence."""
    others = ", ".join(f"{name} {accuracy:.3f}" for name, accuracy in choice.val_accuracy.items())
    how = "by hand" if choice.by == "hand" else "the best by validation"
    return f"{out} now means attempt {choice.attempt}, {how} (validation accuracy: {others})"


def _figures(out: Path) -> dict[str, tuple[float, float]]:
    """Attempt -> validation accuracy and loss, as its card says."""
    cards = {folder.name: read_package(folder / PACKAGE_FOLDER).card for folder in finished_attempts(out)}
    return {
        name: (float(card.metrics.get("val_accuracy", 0.0)), float(card.metrics.get("val_loss", float("inf"))))
        for name, card in cards.items()
    }


def _best(figures: dict[str, tuple[float, float]]) -> str:
    """The highest accuracy; of equals the lowest loss, then the oldest."""
    return min(figures, key=lambda name: (-figures[name][0], figures[name][1]))

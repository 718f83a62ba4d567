"""What `prepare` did, as counts and as text."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from eoltag.records import each_tag
from train.data.splitting import straddling
from train.prepare.output import REPORT_JSON, REPORT_TEXT
from train.records import ManifestRow, Split

UNSPLIT = "all"
SHOWN_FAMILIES: Final = 5
"""Of each class, in the text; the JSON has all."""


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of one prepared set."""

    seed: int
    images: dict[str, dict[str, int]]
    """By class and split (`all` where there is none), changed copies included; of several labels those shown."""
    augmented: dict[str, int]
    """Changed copies of each class."""
    kept: int
    """Images, without the copies."""
    rejected: dict[str, int]
    """By reason."""
    not_drawn: int
    """Offered, but more than the cap asked for."""
    bytes_before: int
    bytes_after: int
    exact_duplicates: int
    """Kept images that are the same file as another kept one of their class."""
    in_several: int
    """Different pictures that stand in several classes."""
    grouped: int
    """Kept images that stay together with others in one split."""
    straddling: int
    """Groups torn apart by the splits that the source came with."""
    class_weights: dict[str, float]
    families: dict[str, dict[str, int]]
    """Class -> family -> kept images, the most first; of images whose ancestry is known."""
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "notes": list(self.notes)}

    def text(self) -> str:
        """For a person: a table of classes and splits, then one line for each other matter."""
        splits = list(dict.fromkeys(split for counts in self.images.values() for split in counts))
        lines = [["class", *splits, "weight"]]
        for label, counts in self.images.items():
            weight = self.class_weights.get(label)
            cells = [str(counts.get(split, 0)) for split in splits]
            lines.append([label, *cells, f"{weight:.3f}" if weight else "-"])
        widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
        table = [
            "  ".join(cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(pairs))
            for pairs in (list(zip(line, widths, strict=True)) for line in lines)
        ]
        return "\n".join([*table, *self._remarks()])

    def _remarks(self) -> list[str]:
        megabytes = f"{self.bytes_before / 1e6:.1f} MB before, {self.bytes_after / 1e6:.1f} MB after"
        remarks = [f"{self.kept} images kept ({megabytes})"]
        if self.augmented:
            copies = ", ".join(f"{label} {count}" for label, count in self.augmented.items())
            remarks.append(f"{sum(self.augmented.values())} changed copies added: {copies}")
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.rejected.items())
        if reasons:
            remarks.append(f"{sum(self.rejected.values())} images left out: {reasons}")
        if self.not_drawn:
            remarks.append(f"{self.not_drawn} more were offered than the cap asked for")
        if self.exact_duplicates:
            remarks.append(
                f"{self.exact_duplicates} images are the same file as another of their class; `dedupe` leaves them out"
            )
        if self.in_several:
            remarks.append(
                f"{self.in_several} pictures stand in several classes: right where an image may show several labels "
                '(output = "labels" of fit), else a mistake'
            )
        if self.straddling:
            remarks.append(
                f"{self.straddling} groups of like images lie in two splits of the source; --split mends that"
            )
        remarks += [_shown(label, families) for label, families in self.families.items()]
        return [*remarks, *(f"note: {note}" for note in self.notes)]


def _shown(label: str, families: dict[str, int]) -> str:
    first = ", ".join(f"{family} {images}" for family, images in list(families.items())[:SHOWN_FAMILIES])
    more = f" and {len(families) - SHOWN_FAMILIES} more" if len(families) > SHOWN_FAMILIES else ""
    return f"{label}: images of {len(families)} families: {first}{more}"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What only the files tell."""

    offered: int
    bytes_before: int
    bytes_after: int


def make_report(
    rows: Sequence[ManifestRow],
    copies: Sequence[ManifestRow],
    groups: Sequence[int],
    sizes: Sizes,
    weights: dict[str, float],
    seed: int,
    notes: tuple[str, ...],
    *,
    has_several: bool = False,
) -> Report:
    """groups: of the kept rows, in their order. has_several: labels an image, which counts for each that it shows."""
    kept = [row for row in rows if row.is_kept]
    images: defaultdict[str, dict[str, int]] = defaultdict(dict)
    order = {split: number for number, split in enumerate(Split)}
    for row in sorted([*kept, *copies], key=lambda row: (row.label, order[row.split] if row.split else 0)):
        split = row.split or UNSPLIT
        for label in each_tag(row.label, has_several=has_several):
            images[label][split] = images[label].get(split, 0) + 1
    members = Counter(groups)
    different = {(row.label, row.sha256) for row in kept}
    return Report(
        seed=seed,
        images=dict(images),
        augmented=dict(sorted(Counter(copy.label for copy in copies).items())),
        kept=len(kept),
        rejected=dict(sorted(Counter(row.outcome for row in rows if not row.is_kept).items())),
        not_drawn=sizes.offered - len(rows),
        bytes_before=sizes.bytes_before,
        bytes_after=sizes.bytes_after,
        exact_duplicates=len(kept) - len(different),
        in_several=sum(classes > 1 for classes in Counter(sha256 for _, sha256 in different).values()),
        grouped=sum(size for size in members.values() if size > 1),
        straddling=straddling(groups, [row.split for row in kept]),
        class_weights=weights,
        families=_families(kept),
        notes=notes,
    )


def _families(kept: Sequence[ManifestRow]) -> dict[str, dict[str, int]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in kept:
        if family := family_of(row.ancestry):
            counts[row.label][family] += 1
    return {label: dict(sorted(found.items(), key=lambda one: (-one[1], one[0]))) for label, found in counts.items()}


def family_of(ancestry: str | None) -> str | None:
    """The family among names joined by |, told by its ending: -aceae of plants and fungi, -idae of animals."""
    names = [name.strip() for name in (ancestry or "").split("|")]
    return next((name for name in reversed(names) if name.lower().endswith(("aceae", "idae"))), None)


def write_report(folder: Path, report: Report) -> None:
    """Both forms of it."""
    (folder / REPORT_JSON).write_text(json.dumps(report.document(), indent=2, ensure_ascii=False) + "\n", "utf-8")
    (folder / REPORT_TEXT).write_text(report.text() + "\n", "utf-8")

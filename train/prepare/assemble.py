"""Candidates to a finished set: gather, place, augment, and say what was done."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.cli import log
from train.data.class_weights import class_weights
from train.data.splitting import Shares
from train.images.decoding import log_skipped
from train.images.manifest import FILE_NAME, IMAGES, write_manifest
from train.prepare.augmenting import add_copies
from train.prepare.download import Downloads
from train.prepare.examine import Finish, examine_all
from train.prepare.gather import Examined, gather, rejected
from train.prepare.judged import of_content, overruled
from train.prepare.label_file import LabelRow, write_labels
from train.prepare.operations import AugmentSet
from train.prepare.output import LABELS, QUARANTINE, WEIGHTS, building
from train.prepare.placing import Placed, copy_rejected, place_all
from train.prepare.report import Report, Sizes, make_report, write_report
from train.prepare.sources.candidate import Candidate, Offer, check_labels
from train.similar.groups import DISTANCE

_SAID: Final = 5
"""Images left out that are named on the terminal; the manifest names all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asked for, whatever the source."""

    out: Path
    seed: int = 0
    cap: int | None = None
    """Images of each stratum."""
    finish: Finish = field(default_factory=Finish)
    shares: Shares | None = None
    """None leaves images in the split they came in, if any."""
    near_bits: int = DISTANCE
    """Images that show the same picture, with perceptual hashes that differ in no more bits, stay in one split."""
    augment_to: int | None = None
    """Training images of each class, counting changed copies."""
    augment_set: AugmentSet = "decathlon"
    is_quarantined: bool = False
    """Copy what was left out to a folder of its own."""
    processes: int | None = None


def prepare(offer: Offer, plan: Plan, downloads: Downloads | None) -> Report:
    """Writes the set to plan.out, which was checked before. Raises DataError where no image can be used."""
    check_labels({label for candidate in offer.candidates for label in candidate.labels})
    has_several = any(candidate.has_answers for candidate in offer.candidates)
    with building(plan.out) as work:
        made = work / "made"
        examined = overruled(look_at_all(offer, plan, downloads, work), plan.near_bits)
        placed = place_all(examined, made, shares=plan.shares, seed=plan.seed, near_bits=plan.near_bits)
        rows = [one.row() for one in placed]
        copies = add_copies(rows, made, plan.augment_to, plan.augment_set, plan.seed, plan.processes)
        if plan.is_quarantined:
            copy_rejected(placed, made / QUARANTINE)
        weights = {}
        if has_several:  # whose recipe weighs each label by itself
            write_labels(made / LABELS, "path", [_answers(one) for one in placed if one.path])
        else:
            weights = class_weights(Counter(row.label for row in [*rows, *copies] if row.is_learned))
            (made / WEIGHTS).write_text(json.dumps(weights, indent=2, sort_keys=True) + "\n", "utf-8")
        sizes = Sizes(
            offered=len(offer.candidates),
            bytes_before=sum(one.finding.size_bytes for one in examined if one.is_usable),
            bytes_after=sum(path.stat().st_size for path in (made / IMAGES).rglob("*") if path.is_file()),
        )
        groups = [one.group for one in placed if one.path]
        report = make_report(rows, copies, groups, sizes, weights, plan.seed, offer.notes, has_several=has_several)
        write_report(made, report)
        write_manifest(made / FILE_NAME, [*rows, *copies])
    return report


def _answers(one: Placed) -> LabelRow:
    said = one.examined.candidate
    return LabelRow(str(one.path), said.present, said.absent, said.judged_by is not None, f"{one.group}", one.split)


def look_at_all(offer: Offer, plan: Plan, downloads: Downloads | None, work: Path) -> list[Examined]:
    """Every image that was looked at; some can be used. Raises DataError otherwise."""
    numbers = count()

    def look_at(batch: Sequence[Candidate]) -> list[Examined]:
        brought = downloads.bring(batch) if downloads else list(batch)
        files = [candidate for candidate in brought if candidate.file is not None and not candidate.rejected]
        jobs = [(file, work / str(next(numbers)), plan.finish) for one in files if (file := one.file) is not None]
        findings = iter(list(examine_all(jobs, plan.processes)))
        return [rejected(one) if one.rejected else Examined(one, of_content(one, next(findings))) for one in brought]

    examined = gather(offer, plan.cap, plan.seed, look_at)
    _say_rejected(examined)
    if not any(one.is_usable for one in examined):
        raise DataError(_nothing_left(examined, plan))
    return examined


def _name(one: Examined) -> str:
    return one.candidate.source_path or one.candidate.url or "an image without a name"


def _say_rejected(examined: Sequence[Examined]) -> None:
    out = [one for one in examined if not one.is_usable]
    for one in out[:_SAID]:
        log_skipped(_name(one), one.finding.outcome, one.finding.detail)
    if len(out) > _SAID:
        log(f"skipped {len(out) - _SAID} more; the manifest names them")


def _nothing_left(examined: Sequence[Examined], plan: Plan) -> str:
    reasons = Counter(str(one.finding.outcome) for one in examined)
    listed = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
    first = f"; first {_name(examined[0])}: {examined[0].finding.detail}" if examined else ""
    return f"{plan.out}: wanted images that can be used. Received: none ({listed or 'nothing was offered'}){first}"

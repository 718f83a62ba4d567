"""`python -m train dedupe FOLDER...`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError, ExitCode
from train.cli import Answer, Verb

TEACHING: Final = """\
Finds images below the folders, at any depth, that are copies of each other: the same bytes, or the same picture
resized, recompressed, turned by 90, 180 or 270 degrees or mirrored. Of each group the one with the most pixels is kept.
Nothing is deleted or moved. With --out DIR, keep.txt lists what to keep, manifest.parquet says of every file why it is
kept or not, contact_sheet_*.jpg shows the groups (the kept image framed green: look at them), and with --copy the kept
images lie in DIR/images. --json prints the groups as lists of paths, the kept one first. A larger --distance finds
copies that were changed more, and at last pictures that merely look alike; --exact finds the same bytes only, for
images that differ in little by nature, as maps do. Nothing here is left to chance: --seed is taken as by every verb
that prepares data, and changes nothing.

examples:
  python -m train dedupe photos --out artifacts/dedupe
  python -m train dedupe photos/cars photos/tanks --distance 4 --json
  python -m train dedupe collected --out unique --copy
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folder of images, at any depth")
    parser.add_argument("--distance", type=int, default=8, metavar="BITS", help="of 64 that may differ (default 8)")
    parser.add_argument("--exact", action="store_true", help="the same bytes only")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the list, the manifest and the pictures")
    parser.add_argument("--copy", action="store_true", help="copy the kept images to DIR/images")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="changes nothing here")


def _run(options: Namespace) -> Answer:
    from train.dedupe.run import dedupe
    from train.similar.hamming import LARGEST_DISTANCE

    if not 0 <= options.distance <= LARGEST_DISTANCE:
        raise DataError(f"--distance: wanted 0 to {LARGEST_DISTANCE}. Received: {options.distance}")
    if options.copy and options.out is None:
        raise DataError("--copy: wanted --out DIR as well, to copy to")
    report = dedupe(options.folders, None if options.exact else options.distance, options.out, copy=options.copy)
    if not report["images"] and not report["unreadable"]:
        raise DataError(f"{', '.join(map(str, options.folders))}: no images")
    code = ExitCode.DONE if report["images"] else ExitCode.TOO_MANY_FAILURES
    return Answer(report, _text(report, options.out), code)


def _text(report: dict[str, Any], out: Path | None) -> str:
    copies, size = report["duplicates"], report["bytes"]
    lines = [
        f"{report['images']} images, {len(report['groups'])} groups: {copies['same_bytes']} copies of the same bytes, "
        f"{copies['near']} near-duplicates, {len(report['unreadable'])} files that cannot be read",
        f"{report['kept']} to keep ({size['before'] / 1e6:.1f} MB before, {size['after'] / 1e6:.1f} MB after)",
    ]
    lines += [f"  {label}: {count['kept']} of {count['images']}" for label, count in report["classes"].items()]
    for what in ("classes", "splits"):
        if straddling := report[f"groups_across_{what}"]:
            lines.append(f"{straddling} groups have images in different {what}: look at them")
    if out is not None:
        lines.append(f"{out}: keep.txt, manifest.parquet, {len(report['contact_sheets'])} contact sheets")
    return "\n".join(lines)


VERB: Final = Verb("find copies among images, turned and mirrored ones too", TEACHING, _arguments, _run)

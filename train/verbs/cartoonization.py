"""`python -m train cartoonization FOLDER`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError, ExitCode
from train.cli import Answer, Verb

TEACHING: Final = """\
FOLDER holds one folder of images per class. Every image is turned into a cartoon, and it is measured how far its hues
move: little for maps and drawings, much for photographs. Rules of the image_type task compare mnorm_pp with a
threshold; this is how to find or check it on images of your own. DIR gets for every class
CLASS_cartoonification_values.csv (filename, mnorm, mnorm_pp, znorm, znorm_pp) and CLASS_cartoonization_hists.png, as
EOL publishes them. The whole picture is measured, in RGB, as the Spark job does; --side 512 measures mnorm_pp_512, on a
picture of at most 512 pixels. An image that cannot be read is named and left out.

examples:
  python -m train cartoonization photos --out artifacts/cartoons
  python -m train cartoonization photos --out artifacts/cartoons_512 --side 512 --threshold 2.5 --limit 100
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one folder of images per class")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tables and pictures")
    parser.add_argument("--limit", type=int, default=500, metavar="N", help="images of each class (default 500)")
    parser.add_argument("--side", type=int, metavar="PX", help="longer side at most; without it the whole picture")
    parser.add_argument("--threshold", type=float, default=2.0, metavar="T", help="of mnorm_pp, drawn (default 2)")


def _run(options: Namespace) -> Answer:
    from train.cartoonize.run import cartoonize

    if options.limit < 1:
        raise DataError(f"--limit: wanted 1 or more. Received: {options.limit}")
    if options.side is not None and options.side < 8:
        raise DataError(f"--side: wanted 8 or more. Received: {options.side}")
    report = cartoonize(options.folder, options.out, options.limit, options.side, options.threshold)
    code = ExitCode.DONE if any(kind["images"] for kind in report["classes"].values()) else ExitCode.TOO_MANY_FAILURES
    return Answer(report, _text(report, options.out), code)


def _text(report: dict[str, Any], out: Path) -> str:
    lines = [f"{'class':<20} {'images':>6}  {'10 %':>7} {'median':>7} {'90 %':>7}  up to {report['threshold']:g}"]
    for name, kind in report["classes"].items():
        low, middle, high = (f"{kind[key]:7.2f}" if kind["images"] else "      -" for key in ("p10", "median", "p90"))
        share = f"{kind['share_up_to_threshold']:.1%}" if kind["images"] else "-"
        lines.append(f"{name:<20} {kind['images']:>6}  {low} {middle} {high}  {share}")
    return "\n".join([*lines, f"{out}: a table and histograms for each class"])


VERB: Final = Verb("measure how much images change as cartoons (image_type)", TEACHING, _arguments, _run)

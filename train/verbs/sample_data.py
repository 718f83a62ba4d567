"""`python -m train sample-data OUT`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from train.cli import Answer, Verb

TEACHING: Final = """\
Five classes, one folder each: herbarium_sheet, illustration, map, photo, phylogeny. They are drawings of what EOL has,
free of any licence, for the demo and the tests; a model trained on them is no use on real images. The same seed gives
the same bytes, and --per-class 10 gives the first ten of --per-class 60.

examples:
  python -m train sample-data artifacts/sample
  python -m train sample-data artifacts/tiny --per-class 8 --max-side 160 --seed 1
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write; made if it is missing")
    parser.add_argument("--per-class", type=int, default=60, metavar="N", help="images in each class (default 60)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, other images (default 0)")
    parser.add_argument(
        "--max-side", type=int, default=1200, metavar="PX", help="longest side in pixels (default 1200)"
    )


def _run(options: Namespace) -> Answer:
    from train.samples import write_samples

    summary = write_samples(options.out, options.per_class, options.seed, options.max_side)
    counts = ", ".join(f"{label} {count}" for label, count in summary["images"].items())
    return Answer(summary, f"{summary['out']}: {counts} ({summary['bytes'] / 1e6:.1f} MB)")


VERB: Final = Verb("draw a licence-clean set of images to try things with", TEACHING, _arguments, _run)

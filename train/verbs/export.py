"""`python -m train export PACKAGE [--int8] [--bf16]`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.cli import Answer, Verb

TEACHING: Final = """\
Makes the OpenVINO files of a package from its model.keras where they are missing, and checks that they score alike.
--int8 and --bf16 measure faster arithmetic against f32 on images that the model was not trained on, and enable it on
the card where at least 99.5 % of the labels agree and no threshold of the card is crossed by more than 0.5 % of the
images; 598 held-out images are the least that can show it. What fails is said with its figures and stays off. The model
version does not change, so nothing is predicted anew. --int8 is calibrated on training images, by the recipe that comes
nearest to f32 on some others of them, which also tell how far int8 errs: images that it leaves closer to call than that
are scored again in f32 when the package is used. data.tsv of the package says which images of a folder it was trained
on: one folder, that of the training, can serve for both.

examples:
  python -m train export models/mine --bf16 --held-out photos
  python -m train export models/mine --int8 --bf16 --calibration photos --held-out other_photos --out models/mine_fast
  python -m train export models/mine
  python -m train export models/mine --saved-model served/mine/1
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="model package, or what `fit` wrote it to")
    parser.add_argument("--int8", action="store_true", help="make an int8 version and measure it")
    parser.add_argument("--bf16", action="store_true", help="measure bfloat16, with OpenVINO and with Keras")
    parser.add_argument(
        "--calibration", type=Path, metavar="DIR", help="training images for --int8 (default: those below --held-out)"
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="images to measure on; may be repeated (default: those below --calibration)",
    )
    parser.add_argument(
        "--most-images", type=int, default=2000, metavar="N", help="measure on N images at most (default 2000)"
    )
    parser.add_argument("--renew", action="store_true", help="make the f32 OpenVINO files anew even if they are there")
    parser.add_argument(
        "--saved-model", type=Path, metavar="DIR", help="write a TensorFlow SavedModel there, and nothing else"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a new package (default: change this one)")
    parser.add_argument("--overwrite", action="store_true", help="replace what --out or --saved-model holds")


def _run(options: Namespace) -> Answer:
    from train.export.run import ExportRequest, export_package, lines
    from train.fit.attempts import find_package

    if options.most_images < 1:
        raise DataError(f"--most-images: wanted 1 or more. Received: {options.most_images}")
    if options.saved_model is not None:
        return _saved_model(options)
    summary = export_package(
        find_package(options.package),
        ExportRequest(
            out=options.out,
            overwrite=options.overwrite,
            int8=options.int8,
            bf16=options.bf16,
            calibration=options.calibration,
            held_out=tuple(options.held_out),
            most_images=options.most_images,
            renew=options.renew,
        ),
    )
    return Answer(summary, "\n".join(lines(summary)))


def _saved_model(options: Namespace) -> Answer:
    from train.export.saved_model import export_saved_model
    from train.fit.attempts import find_package

    if options.int8 or options.bf16 or options.renew or options.out is not None:
        raise DataError("--saved-model writes a SavedModel alone; leave --int8, --bf16, --renew and --out away")
    summary = export_saved_model(find_package(options.package), options.saved_model, overwrite=options.overwrite)
    text = (
        f"{summary['out']}: takes uint8 RGB (N, H, W, 3) and gives logits, {len(summary['labels'])} labels in "
        f"labels.txt; differs from the package by up to {summary['differs_by']:.2g}"
    )
    return Answer(summary, text)


VERB: Final = Verb(
    "give a package its OpenVINO files and faster precisions that are proven", TEACHING, _arguments, _run
)

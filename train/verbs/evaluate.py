"""`python -m train evaluate PACKAGE DIR`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import ExitCode
from train.cli import Answer, Verb
from train.records import Split

TEACHING: Final = """\
DIR holds one folder of images per label, or train, val and test with such folders inside, or the manifest.parquet
that `prepare` writes. Images are decoded and scored as the Spark job does it. The answer holds accuracy with its 95 %
interval (Wilson), precision, recall and F1 of each label, the confusion matrix, areas under ROC and precision-recall
curves, calibration before and after temperature scaling, and the same measures on parts of the images: grey or
coloured, long or square, small or large, and those that --slice names. The package remembers which images it was
trained on, by content: the answer says how many of DIR are among them, --unseen leaves them out, and --split
validation takes just those that `fit` held back. With --out all of it is a page to look at (index.html), with every
misclassified image.

examples:
  python -m train evaluate models/mine photos/test --out reports/mine
  python -m train evaluate models/mine data/photos --split val --json
  python -m train evaluate models/mine photos --split validation
  python -m train evaluate models/mine data/types --breakdown plants_breakdown.txt --slice ancestry=Poaceae
"""

ENGINES: Final = ("auto", "openvino", "keras")
OTHER_SPLITS: Final = ("validation", "all")


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="model package, attempt, or folder of attempts")
    add_images(parser)
    parser.add_argument(
        "--slice", action="append", default=[], metavar="KEY=TEXT", help="ancestry=TAXON or path=TEXT; repeatable"
    )
    parser.add_argument(
        "--breakdown", action="append", default=[], type=Path, metavar="FILE", help="list with ancestry; repeatable"
    )
    parser.add_argument("--out", type=Path, metavar="REPORT_DIR", help="write the report here")
    parser.add_argument("--overwrite", action="store_true", help="replace the report that --out holds")


def add_images(parser: ArgumentParser) -> None:
    """What `evaluate` and `thresholds` both ask: which images, which runtime."""
    parser.add_argument("data", type=Path, metavar="DIR", help="folder of classes, split folder, or manifest")
    add_split(parser)
    parser.add_argument("--unseen", action="store_true", help="leave out images that the model was trained on")
    engine = "auto, openvino or keras; auto is OpenVINO where the package has it"
    parser.add_argument("--engine", choices=ENGINES, default="auto", metavar="ENGINE", help=engine)


def add_split(parser: ArgumentParser) -> None:
    """Which of the images; `validation` is no split of a folder but a part of the model's training."""
    split = "train, val, test, all, or validation: what `fit` held back (default: test, else val, else train)"
    choices = (*Split, *OTHER_SPLITS)
    parser.add_argument("--split", type=_split, choices=choices, metavar="NAME", help=split)


def _split(name: str) -> str:
    return name if name in OTHER_SPLITS else Split.named(name) or name


def _run(options: Namespace) -> Answer:
    from train.evaluate.report import MARKER, write_report
    from train.evaluate.run import Request, evaluate
    from train.fit.attempts import find_package
    from train.report.pages import check_report_folder

    package = find_package(options.package)
    if options.out is not None:
        apart = (options.data, package.path)
        check_report_folder(options.out, MARKER, overwrite=options.overwrite, apart_from=apart)
    request = Request(
        options.data, options.split, options.engine, options.unseen, tuple(options.slice), tuple(options.breakdown)
    )
    evaluation = evaluate(package, request)
    if options.out is not None:
        write_report(evaluation, options.out, overwrite=options.overwrite)
    document = evaluation.document()
    code = ExitCode.DONE if document["images"]["evaluated"] else ExitCode.TOO_MANY_FAILURES
    return Answer(document, _text(document, options.out), code)


def _text(found: dict[str, Any], out: Path | None) -> str:
    images = found["images"]
    if not images["evaluated"]:
        return f"{found['data']}: none of {images['unreadable']} images could be read"
    low, high = found["accuracy_interval"]
    width = max(map(len, ("label", *found["labels"])))
    lines = [f"{'label':{width}}  images  precision  recall     F1"]
    for label, row in found["per_class"].items():
        shares = f"{row['precision']:9.3f}  {row['recall']:6.3f}  {row['f1']:5.3f}"
        lines.append(f"{label:{width}}  {row['support']:6d}  {shares}")
    before, after = found["calibration"]["before"], found["calibration"]["after"]
    fitted = f"; temperature {after['temperature']:.3g} would make it {after['ece']:.3f}" if after else ""
    lines += [
        f"accuracy {found['accuracy']:.4f} (95 %: {low:.4f} to {high:.4f}) on {images['evaluated']} images, "
        f"macro F1 {found['macro_f1']:.4f}",
        f"calibration error {before['ece']:.3f}{fitted}",
        *(f"note: {note}" for note in found["notes"]),
    ]
    if images["unreadable"]:
        lines.append(f"{images['unreadable']} images could not be read")
    if out is not None:
        lines.append(f"{out}/index.html: the report, with {len(found['misclassified'])} misclassified images")
    return "\n".join(lines)


VERB: Final = Verb("say how good a model is on images whose label is known", TEACHING, _arguments, _run)

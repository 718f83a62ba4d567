"""`python -m train evaluate PACKAGE DIR`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError, ExitCode
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

Of a package of several labels each label is measured by itself, over the images whose answer is known: average
precision, precision, recall and F1; DIR may be a CSV, as for `fit`.

With --tags it is the tags of an output of jobs/tag_bundles.py that are judged, rules and all: precision and recall of
each, against a CSV or TSV with the columns eolMediaURL (or url) and tag (or label). Of a task that gives an image
several tags, `tag` holds all that are right, joined by |; or labels those that are there and absent those that are not.

examples:
  python -m train evaluate models/mine photos/test --out reports/mine
  python -m train evaluate models/mine data/photos --split val --json
  python -m train evaluate models/mine photos --split validation
  python -m train evaluate models/rating_06 data/rating --map 1=bad,2=bad,3=,4=good,5=good
  python -m train evaluate models/mine data/types --breakdown plants_breakdown.txt --slice ancestry=Poaceae
  python -m train evaluate --tags /data/eol --task rating --labels looked_at.csv
"""

ENGINES: Final = ("auto", "openvino", "keras")
OTHER_SPLITS: Final = ("validation", "all")


def _arguments(parser: ArgumentParser) -> None:
    package = "model package, attempt, or folder of attempts"
    parser.add_argument("package", type=Path, nargs="?", metavar="PACKAGE", help=package)
    add_images(parser, is_optional=True)
    parser.add_argument("--tags", type=Path, metavar="OUTPUT", help="judge the tags of this output, and no package")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="with --tags: a table of URLs and their true tags")
    parser.add_argument("--task", metavar="NAME", help="with --tags: which of the output's tasks")
    parser.add_argument(
        "--slice", action="append", default=[], metavar="KEY=TEXT", help="ancestry=TAXON or path=TEXT; repeatable"
    )
    parser.add_argument(
        "--breakdown", action="append", default=[], type=Path, metavar="FILE", help="list with ancestry; repeatable"
    )
    parser.add_argument("--out", type=Path, metavar="REPORT_DIR", help="write the report here")
    parser.add_argument("--overwrite", action="store_true", help="replace the report that --out holds")


def add_images(parser: ArgumentParser, *, is_optional: bool = False) -> None:
    """What `evaluate` and `thresholds` both ask: which images, which runtime."""
    data = "folder of classes, split folder, or manifest; of several labels also a CSV"
    parser.add_argument("data", type=Path, nargs="?" if is_optional else None, metavar="DIR", help=data)
    add_split(parser)
    parser.add_argument("--unseen", action="store_true", help="leave out images that the model was trained on")
    merged = "labels put together, as 1=bad,2=bad,4=good,5=good; a label without a name (3=) is left out"
    parser.add_argument("--map", metavar="LABEL=NAME,...", help=merged)
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
    from train.evaluate.labels.registry import evaluate_package
    from train.evaluate.labels.report import write_label_report
    from train.evaluate.report import MARKER, write_report
    from train.evaluate.run import Evaluation, Request
    from train.fit.attempts import find_package
    from train.report.pages import check_report_folder

    if options.tags is not None:
        return _judge_tags(options)
    if options.package is None or options.data is None:
        raise DataError(
            "evaluate: wanted PACKAGE and DIR, or --tags and --labels (see python -m train evaluate --help)"
        )
    package = find_package(options.package)
    if options.out is not None:
        apart = (options.data, package.path)
        check_report_folder(options.out, MARKER, overwrite=options.overwrite, apart_from=apart)
    request = Request(
        data=options.data,
        split=options.split,
        engine=options.engine,
        is_unseen_only=options.unseen,
        slices=tuple(options.slice),
        breakdowns=tuple(options.breakdown),
        label_map=options.map,
    )
    evaluation = evaluate_package(package, request)
    document = evaluation.document()
    code = ExitCode.DONE if document["images"]["evaluated"] else ExitCode.TOO_MANY_FAILURES
    if isinstance(evaluation, Evaluation):
        if options.out is not None:
            write_report(evaluation, options.out, overwrite=options.overwrite)
        return Answer(document, _text(document, options.out), code)
    if options.out is not None:
        write_label_report(evaluation, options.out, overwrite=options.overwrite)
    return Answer(document, _text_of_labels(document, options.out), code)


def _judge_tags(options: Namespace) -> Answer:
    from train.evaluate.tags import evaluate_tags

    if options.package is not None or options.labels is None:
        raise DataError("evaluate: --tags wants --labels FILE, and neither PACKAGE nor DIR")
    found = evaluate_tags(options.tags, options.labels, options.task).document()
    width = max(map(len, ("tag", *found["per_tag"])))
    lines = [f"{'tag':{width}}  tagged  labelled  precision  (95 %)          recall  (95 %)"]
    for tag, row in found["per_tag"].items():
        shares = "  ".join(_share(row, name) for name in ("precision", "recall"))
        lines.append(f"{tag:{width}}  {row['tagged']:6d}  {row['labelled']:8d}  {shares}")
    images = found["images"]
    lines.append(
        f"task {found['task']}: {images['labelled']} labelled images have a tag, {images['failed']} could not be read, "
        f"{images['not_in_output']} are not in the output"
    )
    return Answer(found, "\n".join(lines))


def _share(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return f"{'-':>9}  {'':14}"
    low, high = row[f"{name}_interval"]
    return f"{row[name]:9.3f}  {low:.3f} to {high:.3f}"


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


def _text_of_labels(found: dict[str, Any], out: Path | None) -> str:
    images = found["images"]
    if not images["evaluated"]:
        return f"{found['data']}: none of {images['unreadable']} images could be read"
    width = max(map(len, ("label", *found["labels"])))
    lines = [f"{'label':{width}}  images  of known  average precision  precision  recall     F1"]
    for label, row in found["per_label"].items():
        area = "-" if row["average_precision"] is None else f"{row['average_precision']:.3f}"
        shares = f"{row['precision']:9.3f}  {row['recall']:6.3f}  {row['f1']:5.3f}"
        lines.append(f"{label:{width}}  {row['support']:6d}  {row['known']:8d}  {area:>17}  {shares}")
    area = found["mean_average_precision"]
    lines += [
        f"mean average precision {'-' if area is None else f'{area:.4f}'} on {images['evaluated']} images, "
        f"{found['accuracy']:.4f} of the known answers right at 0.5, macro F1 {found['macro_f1']:.4f}",
        *(f"note: {note}" for note in found["notes"]),
    ]
    if images["unreadable"]:
        lines.append(f"{images['unreadable']} images could not be read")
    if out is not None:
        lines.append(f"{out}/index.html: the report, with {len(found['wrong'])} wrong answers")
    return "\n".join(lines)


VERB: Final = Verb("say how good a model is on images whose label is known", TEACHING, _arguments, _run)

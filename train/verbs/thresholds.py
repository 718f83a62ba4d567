"""`python -m train thresholds PACKAGE DIR --max-error E`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import SettingsError
from train.cli import Answer, Verb
from train.verbs.evaluate import add_images

TEACHING: Final = """\
For each label, among the images of DIR that the model gives it: the lowest score from which no more than a share of E
of the accepted images is wrong, with the stated confidence in the long run and not only here. Many thresholds are
looked at and the bound allows for that. A label that cannot keep the promise gets no threshold, and the answer says
why. Logits and probabilities are both swept; --on says which of the two counts. --write puts the thresholds on the
package's card, where task files find them as ${threshold.LABEL}; the model version stays, so that decide_tags.py is
all that is to be run again. Thresholds from images that the model was trained on would be far too low: such images
are refused.

examples:
  python -m train thresholds models/mine photos/test --max-error 0.05 --out reports/thresholds
  python -m train thresholds models/mine photos --split validation --max-error 0.1 --on probability --write
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="model package, attempt, or folder of attempts")
    add_images(parser)
    parser.add_argument(
        "--max-error",
        type=float,
        required=True,
        metavar="E",
        help="share of mistakes among the images of a label that are accepted, as 0.05",
    )
    parser.add_argument(
        "--confidence-level", type=float, default=0.95, metavar="P", help="of the promise (default 0.95)"
    )
    parser.add_argument(
        "--on",
        choices=("logit", "probability"),
        default="logit",
        metavar="SCALE",
        help="logit (default) or probability",
    )
    parser.add_argument("--allow-seen", action="store_true", help="use images that the model was trained on")
    parser.add_argument("--write", action="store_true", help="put the thresholds on the package's card")
    parser.add_argument("--out", type=Path, metavar="REPORT_DIR", help="write the report here")
    parser.add_argument("--overwrite", action="store_true", help="replace the report that --out holds")


def _run(options: Namespace) -> Answer:
    from train.evaluate.run import Request
    from train.fit.attempts import find_package
    from train.report.pages import check_report_folder
    from train.thresholds.report import MARKER, write_report
    from train.thresholds.run import RiskTarget, select_thresholds, write_thresholds

    if options.map and options.write:
        raise SettingsError("thresholds: --write puts thresholds beside the package's own labels; leave --map away")
    package = find_package(options.package)
    if options.out is not None:
        apart = (options.data, package.path)
        check_report_folder(options.out, MARKER, overwrite=options.overwrite, apart_from=apart)
    request = Request(options.data, options.split, options.engine, is_unseen_only=options.unseen, label_map=options.map)
    target = RiskTarget(request, options.max_error, options.confidence_level, options.on, options.allow_seen)
    selection = select_thresholds(package, target)
    is_written = bool(options.write and selection.chosen)
    if is_written:
        write_thresholds(selection)
    document = {**selection.document(), "written": is_written}
    if options.out is not None:
        write_report(selection, document, options.out, overwrite=options.overwrite)
    return Answer(document, _text(document, options))


def _text(found: dict[str, Any], options: Namespace) -> str:
    width = max(len("label"), *(len(row["label"]) for row in found["sweeps"][found["on"]]))
    lines = [f"{'label':{width}}  {found['on']:>11}  accepts  images  wrong   bound"]
    for label, point in found["chosen"].items():
        lines.append(
            f"{label:{width}}  {point['threshold']:11g}  {100 * point['coverage']:5.1f} %  {point['images']:6d}  "
            f"{point['wrong']:5d}  {point['bound']:6.3f}"
        )
    for label, reason in found["unmet"].items():
        lines.append(f"{label:{width}}  no threshold: {reason}")
        if point := found["no_promise"].get(label):
            lines.append(
                f"{'':{width}}  no promise: from {point['threshold']:g} on, {point['wrong']} of {point['images']} were "
                "wrong here"
            )
    lines.append(
        f"each label by itself: error at most {found['max_error']:g} with {100 * found['confidence_level']:g} % "
        f"confidence, from {found['images']['used']} images"
    )
    lines += [f"note: {note}" for note in found["notes"]]
    if found["written"]:
        lines.append(f"written to {found['package']}/card.json; the model version is still {found['model_version']}")
    elif options.write:
        lines.append(f"nothing was written to {found['package']}/card.json: no label keeps the promise")
    if options.out is not None:
        lines.append(f"{options.out}/index.html: the report")
    return "\n".join(lines)


VERB: Final = Verb("choose thresholds that keep a promised error, and put them on the card", TEACHING, _arguments, _run)

"""`python -m train compare PATH...`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from train.cli import Answer, Verb
from train.verbs.evaluate import ENGINES, add_split

TEACHING: Final = """\
PATH is a model package, an attempt of `fit`, or a folder of attempts, each of which becomes a row, finished or not. The
table shows what the cards tell: architecture, parameters, size, accuracy on the images that the model's own `fit` held
back, seconds an epoch, peak memory; a dash where a card does not say. With --data all models are evaluated on the same
images, as by `evaluate`; only then are accuracies comparable. Images a second are measured now, for each engine, on
noise in batches of 16, without decoding: look at the ratios (x, of the fastest), for speed depends on the machine and
on what else it does. A star marks the best of a column.
With --out the table is also a page, Markdown and JSON.

examples:
  python -m train compare models/mobilenet models/scratch
  python -m train compare runs --data photos/test --out reports/compare
  python -m train compare runs/001 runs/002 models/old --no-speed --json
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="package, attempt, or folder of attempts")
    parser.add_argument("--data", type=Path, metavar="DIR", help="evaluate all of them on these images")
    add_split(parser)
    parser.add_argument("--unseen", action="store_true", help="leave out the images that each model was trained on")
    engine = "for --data: auto, openvino or keras; auto is OpenVINO where the package has it"
    parser.add_argument("--engine", choices=ENGINES, default="auto", metavar="ENGINE", help=engine)
    parser.add_argument("--no-speed", action="store_true", help="measure no speed")
    parser.add_argument("--out", type=Path, metavar="REPORT_DIR", help="write the report here")
    parser.add_argument("--overwrite", action="store_true", help="replace the report that --out holds")


def _run(options: Namespace) -> Answer:
    from eoltag.errors import DataError
    from train.compare.report import MARKER, make_table, notes, terminal, write_report
    from train.compare.run import by_architecture, contenders, measured
    from train.evaluate.run import Request
    from train.report.pages import check_report_folder

    rows = contenders(options.paths)
    if options.data is None and (options.split or options.unseen):
        raise DataError("--split and --unseen: wanted --data DIR as well, to take them from")
    if options.out is not None:
        apart = (*(row.package.path for row in rows if row.package), *([options.data] if options.data else []))
        check_report_folder(options.out, MARKER, overwrite=options.overwrite, apart_from=apart)
    data = None
    if options.data is not None:
        data = Request(options.data, options.split, options.engine, is_unseen_only=options.unseen)
    rows = measured(rows, data, with_speed=not options.no_speed)
    document = {
        "data": str(options.data) if options.data else None,
        "models": [row.document() for row in rows],
        "architectures": by_architecture(rows),
    }
    if options.out is not None:
        write_report(document, rows, options.out, overwrite=options.overwrite)
    lines = [terminal(make_table(rows)), *(f"note: {note}" for note in notes(rows))]
    if options.out is not None:
        lines.append(f"{options.out}/index.html: the report")
    return Answer(document, "\n".join(lines))


VERB: Final = Verb("put models side by side: accuracy, size, speed", TEACHING, _arguments, _run)

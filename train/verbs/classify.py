"""`python -m train classify PACKAGE PATH...`."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from eoltag.errors import DataError, ExitCode
from eoltag.records import Outcome
from train.cli import Answer, Verb

if TYPE_CHECKING:
    from train.evaluate.classify import Row
    from train.evaluate.stored import Stored

TEACHING: Final = """\
PATH is an image file, a folder (all images in it, at any depth, known by their content), an http or https URL, or - for
a list of files and URLs on stdin, one a line. An image that cannot be read is a row that says why; the exit code is 3
if none could be read. Decoding, engines and scoring are those of the Spark job. The logit is the raw score, before the
softmax that makes the probabilities. --json gives a list with a row for every image: predictions holds the K best
labels, best first, as serve answers them; scores holds all of them, in the model's order.
A model of several labels an image shows each label from its threshold on the card on, else from a probability of 0.5;
the table then tells the labels that an image shows, or none, in place of the logit.
--output DIR writes the tables of the Spark job (images, scores, views) and predictions.tsv, prints only counts, and
does some thousand images at a time, so that the same command again goes on where it was stopped. It reads only files
that are new or were written since.

examples:
  python -m train classify artifacts/demo_model photo.jpg scans/ --top 3
  python -m train classify artifacts/demo_model https://content.eol.org/data/media/80/19/a6/542.4888050484.jpg
  python -m train classify artifacts/demo_model photo.jpg --format dict
  python -m train classify artifacts/demo_model photos/ --output classified
  cut -f 1 urls.tsv | python -m train classify artifacts/demo_model - --json > predictions.json
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "package", type=Path, metavar="PACKAGE", help="model package, or the folder that `fit` wrote it to"
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image file, folder, URL, or - for stdin")
    parser.add_argument(
        "--top",
        type=int,
        metavar="K",
        help="the K best labels, best first (default 1; all of dict and of several labels)",
    )
    dictionary = "table, or dict: {'label': probability, ...} as decathlon's toolkit prints it (default table)"
    parser.add_argument("--format", choices=("table", "dict"), default="table", help=dictionary)
    parser.add_argument("--engine", choices=("auto", "openvino", "keras"), default="auto", help="what runs the model")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings of the Spark job; [fetch] holds for URLs here as well"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="write tables there, and go on from those there are")
    parser.add_argument("--allow-private-hosts", action="store_true", help="fetch from private addresses as well")


def _run(options: Namespace) -> Answer:
    from eoltag.settings import read_settings
    from train.evaluate.classify import classify
    from train.fit.attempts import find_package
    from train.images.sources import find_sources

    if options.top is not None and options.top < 1:
        raise DataError(f"--top: wanted 1 or more. Received: {options.top}")
    package = find_package(options.package)
    sources = find_sources(options.paths, sys.stdin)
    if options.output is not None:
        from train.evaluate.stored import classify_into

        return _counts(classify_into(options.output, package, sources, options.engine), options)
    fetch = read_settings(options.config).fetch
    if options.allow_private_hosts:
        fetch = fetch.model_copy(update={"allow_private_hosts": True})
    rows = classify(package, sources, fetch, options.engine)
    if not rows:
        raise DataError(f"{', '.join(options.paths)}: no images")
    failed = all(row.outcome is not Outcome.OK for row in rows)
    code = ExitCode.TOO_MANY_FAILURES if failed else ExitCode.DONE
    has_several = package.card.output_kind == "labels"
    top = options.top or (None if has_several else 1)
    if options.format == "dict":
        text = _dictionaries(rows, options.top)
    else:
        text = _columns(("path", "shows" if has_several else "logit", "label"), [_cells(row, top) for row in rows])
    return Answer([row.document(top) for row in rows], text, code)


def _counts(found: "Stored", options: Namespace) -> Answer:
    """What was written into tables."""
    if not found.images:
        raise DataError(f"{', '.join(options.paths)}: no images")
    lines = [
        f"{found.images:,} images: {found.classified:,} read now, {found.known:,} known from earlier runs",
        *(f"  {label:<24} {images:>9,}" for label, images in found.labels.items()),
        *(f"  {outcome:<24} {images:>9,}  (not read)" for outcome, images in sorted(found.failed.items())),
        f"predictions  {found.predictions}",
        f"tables       {found.output}/images/, scores/, views.duckdb.sql",
    ]
    code = ExitCode.DONE if found.labels else ExitCode.TOO_MANY_FAILURES
    return Answer(asdict(found), "\n".join(lines), code)


def _dictionaries(rows: list["Row"], top: int | None) -> str:
    """A Python dictionary for each image, its path in front where there are several."""
    from train.evaluate.classify import ranked

    lines = [str(dict(ranked(row.verdict, top)) if row.verdict else f"{row.outcome}: {row.detail}") for row in rows]
    return (
        lines[0] if len(lines) == 1 else "\n".join(f"{row.path}  {line}" for row, line in zip(rows, lines, strict=True))
    )


def _columns(head: tuple[str, str, str], rows: list[tuple[str, str, str]]) -> str:
    """Path, logit or shown labels, and the best labels with their probability, in columns."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    return "\n".join(f"{path:<{widths[0]}}  {said:>{widths[1]}}  {rest}" for path, said, rest in lines)


def _cells(row: "Row", top: int | None) -> tuple[str, str, str]:
    from train.evaluate.classify import ranked
    from train.evaluate.shown import joined

    if row.verdict is None:
        return row.path, "-", f"{row.outcome}: {row.detail}"
    best = "  ".join(f"{label} {share:.3f}" for label, share in ranked(row.verdict, top))
    return row.path, f"{row.verdict.logit:.3f}" if row.shown is None else joined(row.shown), best


VERB: Final = Verb("say what images show, by one model package", TEACHING, _arguments, _run)

"""`python -m train VERB`: make model packages and look into them."""

from eoltag.local import signals

GO_ON = "nothing stays half made; the same command begins again, and fit and tune go on with --resume"
if __name__ == "__main__":
    signals.install(GO_ON)  # first of all: what follows takes a while

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import redirect_stdout
from multiprocessing import active_children
from typing import Final, NoReturn

from eoltag.errors import ExitCode, UsageError, did_you_mean
from eoltag.local.disk import disk_problem
from eoltag.local.scratch import close_scratch, drop_scratch, open_scratch
from eoltag.local.streams import print_anything, say
from eoltag.places import install_command
from train.cli import Verb
from train.verbs import (
    cartoonization,
    classify,
    collect,
    compare,
    dedupe,
    evaluate,
    export,
    fit,
    import_,
    prepare,
    sample_data,
    serve,
    thresholds,
    tune,
)

__all__ = ["main"]


VERBS: Final[dict[str, Verb]] = {
    "sample-data": sample_data.VERB,
    "collect": collect.VERB,
    "prepare": prepare.VERB,
    "dedupe": dedupe.VERB,
    "fit": fit.VERB,
    "tune": tune.VERB,
    "evaluate": evaluate.VERB,
    "thresholds": thresholds.VERB,
    "compare": compare.VERB,
    "export": export.VERB,
    "import": import_.VERB,
    "classify": classify.VERB,
    "serve": serve.VERB,
    "cartoonization": cartoonization.VERB,
}

EXAMPLES: Final = """\
from nothing to a tested model in two minutes, without a download:
  python -m train sample-data artifacts/sample
  python -m train fit conf/train/demo.toml --data artifacts/sample --out artifacts/demo_model
  python -m train classify artifacts/demo_model artifacts/sample/map

every verb explains itself (python -m train fit --help) and takes --json: one JSON document on stdout, nothing else.
exit code: 0 done, 2 unusable arguments, settings or data, 3 no image could be read, 130 interrupted, 143 ended.
"""


class _Parser(ArgumentParser):
    """Says what is wrong in one line, like every other mistake of a user."""

    def error(self, message: str) -> NoReturn:
        _, _, typed = message.partition("argument VERB: invalid choice: '")
        near = did_you_mean(typed.partition("'")[0], VERBS) if typed else ""
        raise UsageError(f"{message}{near} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    try:
        options = parser().parse_args(arguments)
        verb: Verb = options.verb
        with redirect_stdout(sys.stderr):  # libraries that print must not spoil the JSON
            answer = verb.run(options)
        say(json.dumps(answer.document, indent=2, ensure_ascii=False) if options.json else answer.text)
        return int(answer.exit_code)
    except UsageError as problem:
        print("error:", " ".join(str(problem).split()), file=sys.stderr)
        return int(problem.exit_code)
    except ModuleNotFoundError as problem:
        library = (problem.name or "").partition(".")[0]
        if library in ("", "eoltag", "train"):
            raise
        print(f"error: this needs {library}, which is not installed: {install_command('train')}", file=sys.stderr)
        return int(ExitCode.UNUSABLE)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def parser() -> ArgumentParser:
    parser = _Parser(
        prog="python -m train",
        description="Train, package and try the image classifiers that eoltag runs on Spark.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=_Parser)
    for name, verb in VERBS.items():
        about, _, examples = verb.teaching.partition("examples:")
        sub = verbs.add_parser(
            name,
            help=verb.summary,
            description=f"{verb.summary}\n\n{about.strip()}",
            epilog=f"examples:{examples}",
            formatter_class=RawDescriptionHelpFormatter,
        )
        verb.add_arguments(sub)
        sub.add_argument("--json", action="store_true", help="print one JSON document on stdout and nothing else")
        sub.set_defaults(verb=verb)
    return parser


def program(arguments: Sequence[str] | None = None) -> int:
    """As main, for a process of its own: hears signals, and leaves no process, no temporary file behind."""
    print_anything()
    signals.ending(_end_children)
    signals.ending(drop_scratch)
    try:
        signals.install(GO_ON)
        return signals.heard(lambda: _in_scratch(arguments))
    finally:
        close_scratch()


def _in_scratch(arguments: Sequence[str] | None) -> int:
    try:
        open_scratch()
    except OSError as problem:
        print(f"error: {disk_problem(problem) or problem}", file=sys.stderr)
        return int(ExitCode.UNUSABLE)
    return main(arguments)


def _end_children() -> None:
    """Processes over which a verb has spread its work."""
    for child in active_children():
        child.kill()


if __name__ == "__main__":
    sys.exit(program())

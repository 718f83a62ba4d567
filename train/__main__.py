"""`python -m train VERB`: make model packages and look into them."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Final, NoReturn

from eoltag.errors import UsageError, did_you_mean
from train.cli import Answer, Verb
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
exit code: 0 done, 2 unusable arguments, settings or data, 3 no image could be read, 130 interrupted.
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
        _print(answer, options)
        return int(answer.exit_code)
    except UsageError as problem:
        print("error:", " ".join(str(problem).split()), file=sys.stderr)
        return int(problem.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader, say `head`, has seen enough
        return 0


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


def _print(answer: Answer, options: Namespace) -> None:
    print(json.dumps(answer.document, indent=2, ensure_ascii=False) if options.json else answer.text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Commands as pages show them: what the command does, a table of its arguments, its examples."""

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from docs.generator.markdown import code, plain, prose, table
from train import __main__ as train

_JOBS: Final = Path(__file__).resolve().parents[2] / "jobs"


def job_names() -> list[str]:
    """Names of the jobs: those of their files."""
    return sorted(path.stem for path in _JOBS.glob("*.py") if path.stem != "__init__")


def job(name: str) -> str:
    """One job of `jobs/`."""
    parser: argparse.ArgumentParser = importlib.import_module(f"jobs.{name}").parser()
    return command(parser)


def verb_names() -> list[str]:
    """The verbs of `python -m train`, in the order of its help."""
    return list(train.VERBS)


def verb(name: str) -> str:
    """One verb of `python -m train`."""
    return command(_verbs(train.parser())[name])


def command(parser: argparse.ArgumentParser) -> str:
    """Description, arguments and examples; where it has verbs of its own, these as sections."""
    parts = [prose(_described(parser)), table(("argument", "meaning"), _rows(parser))]
    parts += [f"### {code(below.prog)}\n\n{command(below)}" for below in _verbs(parser).values()]
    if parser.epilog:
        parts.insert(2, prose(parser.epilog))
    return "\n\n".join(parts)


def _described(parser: argparse.ArgumentParser) -> str:
    """The description; its first line is a sentence."""
    first, _, rest = (parser.description or "").partition("\n")
    return f"{first.rstrip('.')}.\n{rest}"


def _rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if action.dest == "help":
            continue
        yield code(_shown(action)), _meaning(parser, action)


def _shown(action: argparse.Action) -> str:
    """`--limit N`, `--quiet`, `PATH ...`."""
    name = action.option_strings[-1] if action.option_strings else ""
    value = str(action.metavar or (action.dest.upper() if action.nargs != 0 else ""))
    return " ".join(part for part in (name, value, "..." if action.nargs == "+" else "") if part)


def _meaning(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if isinstance(action, argparse._SubParsersAction):
        return ", ".join(code(name) for name in action.choices)
    text = plain(parser._get_formatter()._expand_help(action)) if action.help else ""
    choices = [str(choice) for choice in action.choices or ()]
    if any(choice not in text for choice in choices):
        text += f"; one of {', '.join(code(choice) for choice in choices)}"
    return f"**required**; {text}" if action.required and action.option_strings else text


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found

"""Every command of `eoltag`, named as text: only the one that is chosen is imported."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from eoltag.errors import UsageError, did_you_mean
from eoltag.places import install_command


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its module has main(prog, arguments) for a Spark job, main(arguments) else."""

    module: str
    summary: str
    libraries: tuple[str, ...] = ()
    """What it cannot do without, where that is not installed with eoltag alone."""
    extra: str = ""
    """The extras of the wheel that bring the libraries."""
    entry: str = "main"
    """The function that runs it."""
    is_job: bool = False
    """It runs on Spark."""

    @property
    def missing(self) -> str | None:
        """The first of its libraries that is not installed."""
        return next((library for library in self.libraries if find_spec(library) is None), None)


def _job(name: str, summary: str) -> Command:
    return Command(f"eoltag.commands.{name}", summary, ("pyspark",), "spark", is_job=True)


COMMANDS: Final = {
    "tag": _job("tag", "tag the images of bundles"),
    "decide": _job("decide", "decide tags again from stored scores"),
    "report": _job("report", "write the page of an output again"),
    "diff": _job("diff", "what changed between two runs or two versions of a model"),
    "publish": _job("publish", "publish decided tags, go back, or list publications"),
    "verify": _job("verify", "check an output: every row, file and publication"),
    "compact": _job("compact", "many small Parquet files to few"),
    "import-features": _job("import_features", "store vectors that others computed"),
    "review": Command("eoltag.commands.people.review", "judge tags on a local page", ("duckdb", "fastapi"), "review"),
    "judgements": Command("eoltag.commands.people.judgements", "judgements as CSV or Label Studio's JSON, out and in"),
    "audit": Command(
        "eoltag.commands.people.audit", "draw published images, certify tags", ("scipy", "duckdb"), "review"
    ),
    "views": Command("eoltag.commands.views", "write SQL views for DuckDB and Spark"),
    "demo": Command(
        "eoltag.commands.demo", "from nothing to tags on this machine, in minutes", ("keras", "pyspark"), "spark,train"
    ),
    "completion": Command(
        "eoltag.commands.completion", "let a shell complete commands and options", ("shtab",), "spark"
    ),
    "train": Command(
        "train.__main__", "train, package and try classifiers: eoltag train VERB", ("keras",), "train", "program"
    ),
}


def run(name: str, arguments: Sequence[str]) -> int:
    """The exit code of a command. Raises UsageError for an unknown one, and for one whose libraries are not there."""
    command = COMMANDS.get(name)
    if command is None:
        near = did_you_mean(name, COMMANDS)
        raise UsageError(f"unknown command '{name}'; known: {', '.join(COMMANDS)}{near}")
    if missing := command.missing:
        raise UsageError(f"eoltag {name} wants {missing}, which is not installed: {install_command(command.extra)}")
    main = getattr(import_module(command.module), command.entry)
    if not command.is_job:
        return int(main(arguments))
    from eoltag.spark.runtime.command import run_program  # only a job needs signals and a scratch folder

    return run_program(lambda: main(f"eoltag {name}", arguments))

"""Completion of the console command in a shell: commands, verbs and options.

eval "$(eoltag completion bash)"
"""

import argparse
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from eoltag.commands import registry
from eoltag.errors import UsageError
from eoltag.local.streams import say

SHELLS = ("bash", "zsh", "tcsh")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="eoltag completion",
        description="Print a script that lets a shell complete eoltag's commands, verbs and options.",
        epilog='for this shell: eval "$(eoltag completion bash)"; for every one: put that line into ~/.bashrc',
    )
    new.add_argument("shell", choices=SHELLS)
    return new


def whole_parser() -> argparse.ArgumentParser:
    """One command line over all commands whose libraries are installed."""
    new = argparse.ArgumentParser(prog="eoltag")
    new.add_argument("--version", action="store_true", help="show the version")
    commands = new.add_subparsers()
    for name, command in registry.COMMANDS.items():
        if command.library and find_spec(command.library) is None:
            continue
        module = import_module(command.module)
        own = module.parser(f"eoltag {name}") if command.is_job else module.parser()
        commands.add_parser(name, parents=[own], add_help=False, help=command.summary)
    return new


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the script; returns the exit code."""
    options = parser().parse_args(arguments)
    if find_spec("shtab") is None:
        raise UsageError("eoltag completion wants shtab, which is not installed: pip install 'eoltag[spark]'")
    import shtab

    say(shtab.complete(whole_parser(), options.shell))
    return 0

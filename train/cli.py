"""Verbs of `python -m train`: what each is made of, and how it logs and shows progress."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from tqdm import tqdm

from eoltag.errors import ExitCode, SettingsError
from eoltag.model.quiet import import_keras
from eoltag.places import install_command

T = TypeVar("T")

tqdm.monitor_interval = 0
"""No thread that watches over bars: a process with threads cannot be forked safely, see train/images/parallel.py."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of a verb."""

    document: Any
    """For --json: plain JSON values."""
    text: str
    """For a person."""
    exit_code: ExitCode = ExitCode.DONE


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: its help, its arguments, what it does. Importing it costs nothing; `run` imports what is heavy."""

    summary: str
    """One line."""
    teaching: str
    """What the verb reads and writes, then examples."""
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], Answer]


def log(line: str) -> None:
    """Write a progress line for people to stderr, above any progress bar."""
    tqdm.write(line, file=sys.stderr)


def progress(steps: Iterable[T], total: int | None, unit: str, label: str) -> Iterator[T]:
    """The steps, with a bar on stderr where that is a terminal."""
    yield from tqdm(steps, total=total, unit=unit, desc=label, file=sys.stderr, disable=None, leave=False)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_keras() -> None:
    """Import Keras without TensorFlow's greetings. Before anything else imports it."""
    try:
        import_keras("tensorflow")
    except ImportError as problem:
        raise SettingsError(f"this needs Keras: {install_command('train')} ({problem})") from problem

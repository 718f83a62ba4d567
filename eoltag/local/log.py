"""What a process says on stderr: lines for people, or with --log-format json an object in each line for machines."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, Literal, get_args

Format = Literal["text", "json"]
FORMATS: Final = get_args(Format)
OPTION: Final = "--log-format"

_format: list[Format] = ["text"]


def use(wanted: Format) -> None:
    """From here on in this form."""
    _format[0] = wanted


def use_as_given(words: Sequence[str]) -> None:
    """As a command line says, even one that turns out to be wrong: its mistakes are told in the form that it names."""
    if f"{OPTION}=json" in words or (OPTION, "json") in pairwise(words):
        use("json")


def is_json() -> bool:
    """Whether machines read it."""
    return _format[0] == "json"


def error(message: str, **facts: Any) -> None:
    """What went wrong, in one line."""
    line = " ".join(message.split())
    print(_object("error", {"message": line, **facts}) if is_json() else f"error: {line}", file=sys.stderr, flush=True)


def event(name: str, **facts: Any) -> None:
    """Something that machines want to know of; people see it in another way."""
    if is_json():
        print(_object(name, facts), file=sys.stderr, flush=True)


def line_of(kind: str, message: str) -> str:
    """A line about the end of the process, without its line break, for who writes it past Python's own buffers."""
    return _object(kind, {"message": message}) if is_json() else f"{kind}: {message}"


def _object(name: str, facts: dict[str, Any]) -> str:
    return json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": name, **facts}, default=str)

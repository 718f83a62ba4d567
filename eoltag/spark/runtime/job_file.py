"""A job's options from the `[job]` table of its `--config` file: what a schedule runs, written down once.

Each key is the name of an option, `max_failure_rate` for `--max-failure-rate`. The command line overrides the table.
"""

from argparse import Action, ArgumentTypeError
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from eoltag.errors import SettingsError, did_you_mean
from eoltag.settings import read_toml

TABLE: Final = "job"
NOT_IN_TABLE: Final = ("help", "config")


def read_job(path: Path, actions: Sequence[Action]) -> dict[str, Any]:
    """Values of the options that the file names, as the command line would give them. Raises SettingsError."""
    table = read_toml(path).get(TABLE, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [{TABLE}] was wanted as a table. Received: {table!r}")
    known = {action.dest: action for action in actions if action.dest not in NOT_IN_TABLE}
    for key in table:
        if key not in known:
            near = did_you_mean(key, known)
            raise SettingsError(f"{path}: unknown key '{TABLE}.{key}'; known here: {', '.join(sorted(known))}{near}")
    return {key: _value(known[key], value, f"{path}: key '{TABLE}.{key}'") for key, value in table.items()}


def missing(options: Mapping[str, Any], actions: Sequence[Action]) -> list[str]:
    """Options that must be there and are not, as the command line spells them."""
    return [action.option_strings[-1] for action in actions if action.required and action.dest not in options]


def _value(action: Action, value: Any, where: str) -> Any:
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise SettingsError(f"{where}: true or false was wanted. Received: {value!r}")
        return value
    if action.nargs in ("+", "*"):
        values = value if isinstance(value, list) else [value]
        if not values and action.nargs == "+":
            raise SettingsError(f"{where}: one or more were wanted. Received: {value!r}")
        return [_one(action, one, where) for one in values]
    return _one(action, value, where)


def _one(action: Action, value: Any, where: str) -> Any:
    """Through the option's own type, as a text from the command line would go."""
    is_text = isinstance(value, str)
    if isinstance(value, (bool, list, dict)) or (action.type is None and not is_text):
        raise SettingsError(f"{where}: {'one value' if action.type else 'a text'} was wanted. Received: {value!r}")
    if action.type is None or isinstance(action.type, str):
        converted: Any = value
    else:
        try:
            converted = action.type(str(value))
        except ArgumentTypeError as problem:
            raise SettingsError(f"{where}: {problem}") from problem
        except (TypeError, ValueError) as problem:
            kind = {"int": "a whole number", "float": "a number"}.get(getattr(action.type, "__name__", ""), "a value")
            raise SettingsError(f"{where}: {kind} was wanted. Received: {value!r}") from problem
    if action.choices is not None and converted not in action.choices:
        raise SettingsError(f"{where}: one of {', '.join(map(str, action.choices))} was wanted. Received: {value!r}")
    return converted

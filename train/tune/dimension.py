"""Dimensions of a search space: one searched setting, the values to try, and the condition."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model

from eoltag.errors import SettingsError
from eoltag.settings import Strict, parse
from train.settings import FitSettings

if TYPE_CHECKING:
    import numpy as np

Part = Literal["whole", "layers", "width"]
"""The part of a setting that a parameter decides: its whole value, or of head_units the number and the width."""


class Entry(Strict):
    """A table of [space] as it is written: one of low and high, choices, value, of, or layers and width."""

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    """Drawn evenly from the logarithm."""
    choices: tuple[Any, ...] | None = Field(None, strict=False, min_length=1)
    value: Any = None
    of: str | None = None
    """Follows another setting, times a factor."""
    times: float = Field(1.0, gt=0, le=1e6, strict=False)
    layers: dict[str, Any] | None = None
    """Of head_units: how many; the table is an entry itself."""
    width: dict[str, Any] | None = None
    """Of head_units: of each of them."""
    when: dict[str, Any] = {}
    """Other settings -> the value, or list of values, at which the entry holds."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the search: a number in a range, or one of several choices."""

    name: str
    key: str
    part: Part
    low: float = 0
    high: float = 0
    is_log: bool = False
    is_whole: bool = False
    """Whether the range holds whole numbers only."""
    choices: tuple[Any, ...] = ()

    @property
    def encoded(self) -> tuple[Any, ...]:
        """The choices as the study keeps them: lists as JSON texts."""
        return tuple(_encoded(choice) for choice in self.choices)

    def encode(self, value: Any) -> Any:
        """The value as the study keeps it."""
        return self.encoded[self.choices.index(value)] if self.choices else value

    def decoded(self, value: Any) -> Any:
        """The choice behind its encoded form; a number as it is."""
        return self.choices[self.encoded.index(value)] if self.choices else value

    def drawn(self, rng: "np.random.Generator") -> Any:
        """A random value."""
        if self.choices:
            return self.choices[int(rng.integers(len(self.choices)))]
        if self.is_whole:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        if self.is_log:
            return math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return float(rng.uniform(self.low, self.high))

    def read(self, settings: FitSettings, source: str) -> Any:
        """Its value in those settings. Raises SettingsError where it holds no such value."""
        value = getattr(settings, self.key)
        if self.part != "whole":
            if len(set(value)) > 1:
                raise SettingsError(f"{source}: head_units = {list(value)}: wanted layers of one width")
            value = len(value) if self.part == "layers" else value[0]
        if self.choices and value not in self.choices:
            wanted = ", ".join(str(_encoded(choice)) for choice in self.choices)
            raise SettingsError(f"{source}: {self.name}: wanted one of space.{self.key}: {wanted}. Received: {value}")
        if not self.choices and not self.low <= value <= self.high:
            raise SettingsError(
                f"{source}: {self.name}: wanted {self.low:g} to {self.high:g}, as space.{self.key} has it. "
                f"Received: {value}"
            )
        return value


Pick = Callable[[Parameter], Any]


@dataclass(frozen=True, slots=True)
class Dimension:
    """An entry of the space that was checked."""

    key: str
    fixed: Any = None
    """The value, where there is nothing to decide."""
    of: str | None = None
    times: float = 1.0
    parameters: tuple[Parameter, ...] = ()
    """None where it is fixed or follows another; two of head_units as layers and width; else one."""
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Settings that must be decided before it."""
        return (*self.when, *([self.of] if self.of else []))

    def holds(self, content: Mapping[str, Any]) -> bool:
        """Whether its condition is met by the settings that were decided so far."""
        return all(content[key] in allowed for key, allowed in self.when.items())

    def value(self, pick: Pick, content: Mapping[str, Any]) -> Any:
        """The value of the setting."""
        if self.of:
            found = content[self.of] * self.times
            return max(1, round(found)) if FitSettings.model_fields[self.key].annotation is int else found
        if len(self.parameters) == 2:
            layers = pick(self.parameters[0])
            return (pick(self.parameters[1]),) * layers if layers else ()
        return pick(self.parameters[0]) if self.parameters else self.fixed


def dimension(key: str, name: str, entry: Entry, source: str) -> Dimension:
    """The dimension of an entry. Raises SettingsError naming the source for a value that `fit` would refuse."""
    when = {other: tuple(allowed) if isinstance(allowed, list) else (allowed,) for other, allowed in entry.when.items()}
    given = entry.model_fields_set - {"when"}
    if given in ({"low", "high"}, {"low", "high", "log"}):
        return Dimension(key, parameters=(_range(key, name, "whole", entry, source),), when=when)
    if given == {"choices"} and entry.choices:
        choices = tuple(check_value(key, choice, source) for choice in entry.choices)
        return Dimension(key, parameters=(Parameter(name, key, "whole", choices=choices),), when=when)
    if given == {"value"}:
        return Dimension(key, fixed=check_value(key, entry.value, source), when=when)
    if given in ({"of"}, {"of", "times"}) and entry.of:
        if FitSettings.model_fields[key].annotation not in (int, float):
            raise SettingsError(f"{source}: `of` is for numbers, which {key} is not")
        return Dimension(key, of=entry.of, times=entry.times, when=when)
    if given == {"layers", "width"} and key == "head_units":
        parts = tuple(_part(f"{name}.{part}", part, getattr(entry, part), source) for part in ("layers", "width"))
        return Dimension(key, parameters=parts, when=when)
    wanted = "low and high, choices, value or of" + (", or layers and width" if key == "head_units" else "")
    raise SettingsError(f"{source}: wanted {wanted}. Received: {', '.join(sorted(given)) or 'nothing'}")


def check_value(key: str, value: Any, source: str) -> Any:
    """The value as `fit` would keep it. Raises SettingsError where it would refuse it."""
    info = FitSettings.model_fields[key]
    alone = create_model("FitSettings", __base__=Strict, **{key: (info.annotation, info)})  # type: ignore[call-overload]
    return getattr(parse(alone, {key: value}, source), key)


def _part(name: str, part: Any, content: dict[str, Any], source: str) -> Parameter:
    entry = parse(Entry, content, f"{source}.{part}")
    given = entry.model_fields_set
    if given == {"choices"} and entry.choices:
        for choice in entry.choices:
            _check_part(part, choice, f"{source}.{part}")
        return Parameter(name, "head_units", part, choices=entry.choices)
    if given not in ({"low", "high"}, {"low", "high", "log"}):
        raise SettingsError(f"{source}.{part}: wanted low and high, or choices. Received: {', '.join(sorted(given))}")
    return _range("head_units", name, part, entry, f"{source}.{part}")


def _range(key: str, name: str, part: Part, entry: Entry, source: str) -> Parameter:
    annotation = FitSettings.model_fields[key].annotation if part == "whole" else int
    if annotation not in (int, float):
        raise SettingsError(f"{source}: low and high are for numbers, which {key} is not; wanted choices")
    low, high = entry.low, entry.high
    for end in (low, high):
        if part == "whole":
            check_value(key, end, source)
        else:
            _check_part(part, end, source)
    assert low is not None
    assert high is not None
    if low >= high:
        raise SettingsError(f"{source}: wanted low below high. Received: {low} and {high}")
    if entry.log and low <= 0:
        raise SettingsError(f"{source}: log: wanted low above 0. Received: {low}")
    return Parameter(name, key, part, low, high, entry.log, annotation is int)


def _check_part(part: Part, value: Any, source: str) -> None:
    if part == "width":
        check_value("head_units", [value], source)
    elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10:
        raise SettingsError(f"{source}: wanted 0 to 10 layers. Received: {value!r}")


def _encoded(choice: Any) -> Any:
    return choice if choice is None or isinstance(choice, str | int | float | bool) else json.dumps(choice)

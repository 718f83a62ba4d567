"""The search space of `tune`: a base of settings and, for some of their keys, the values that may be tried."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from eoltag.errors import SettingsError
from eoltag.settings import Strict, parse, read_toml
from train.settings import FitSettings, read_override
from train.tune.dimension import Dimension, Entry, Parameter, Pick, check_value, dimension

NOT_SEARCHED: Final = {
    "output": "it says what the data are, and models of two kinds are not compared",
    "name": "it changes no result",
    "seed": "all trials must be compared on one split; give --seed",
    "validation_fraction": "all trials must be compared on one split; put it into [base]",
    "refit": "it leaves no image to compare trials on; put it into [base], for the package that is made of the best",
    "min_accuracy": "a trial that is stopped early is pruned, not refused",
}
POINTS_TRIED: Final = 400
"""Points of the space that are looked at before the first trial, for combinations that are no settings."""


class SearchFile(Strict):
    """SPACE.toml as it is written."""

    metric: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    """What is searched for, of each trial's best epoch; equal accuracies are told apart by the loss."""
    startup_trials: int = Field(10, ge=1, le=10_000)
    """Trials drawn at random, before results say where to look."""
    pruner: Literal["median", "halving", "off"] = "median"
    """What ends a trial early: being worse than half of the trials after as many epochs, successive halving, or
    nothing."""
    pruner_startup_trials: int = Field(5, ge=0, le=10_000)
    """`median`: trials that must have ended before any is ended early."""
    pruner_warmup_epochs: int = Field(3, ge=0, le=10_000)
    """Epochs that every trial may train."""
    base: dict[str, Any] = {}
    """Settings of `fit`: trial 0, and in every trial whatever is not searched."""
    start: tuple[dict[str, Any], ...] = Field((), strict=False)
    """Changes of the base that are tried next; `[[start]]`, once or several times."""
    space: dict[str, Any]
    """What may be tried, for each searched setting: `[space.KEY]`, or several `[[space.KEY]]`, of which the first whose
    `when` holds is meant."""


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """A search space that was checked."""

    file: SearchFile
    base: FitSettings
    dimensions: Mapping[str, tuple[Dimension, ...]]
    """Key -> its entries, in the order in which they are decided."""
    starts: tuple[dict[str, Any], ...]
    """Parameters of the base and of each start, decoded."""

    @property
    def parameters(self) -> list[Parameter]:
        """All parameters, in the order in which they are decided."""
        return [found for entries in self.dimensions.values() for entry in entries for found in entry.parameters]

    def compose(self, pick: Pick) -> FitSettings:
        """The settings of one point. pick: decides one parameter. Raises SettingsError where they do not fit."""
        return parse(FitSettings, _composed(self.base, self.dimensions, pick), "this combination")

    def start_settings(self) -> FitSettings:
        """The settings of trial 0: the base, within the space."""
        return self.compose(lambda parameter: self.starts[0][parameter.name])

    def settings_of(self, searched: Mapping[str, Any]) -> FitSettings:
        """The settings with those values of the searched keys."""
        return parse(FitSettings, {**self.base.model_dump(mode="json"), **searched}, "this trial")

    def searched(self, settings: FitSettings) -> dict[str, Any]:
        """The searched keys of those settings, as plain JSON values."""
        return settings.model_dump(mode="json", include=set(self.dimensions))


def read_search(path: Path, overrides: Sequence[str] = (), **given: Any) -> SearchSpace:
    """SPACE.toml, its base changed by KEY=VALUE texts and by values that are not None. Raises SettingsError."""
    file = parse(SearchFile, read_toml(path), str(path))
    changes = dict(read_override(text) for text in overrides)
    changes.update({key: value for key, value in given.items() if value is not None})
    of_base = f"{path}: base{' with --set ' + ', '.join(overrides) if overrides else ''}"
    base = parse(FitSettings, {**file.base, **changes}, of_base)
    dimensions = _dimensions(path, file)
    _check_order(path, dimensions)
    _check_points(path, base, dimensions)
    starts = [_parameters(base, base.model_fields_set, dimensions, of_base)]
    for number, start in enumerate(file.start, start=1):
        changed = {key: check_value(key, value, f"{path}: start {number}") for key, value in start.items()}
        settings = base.model_copy(update=changed)  # together they are checked as a point of the space
        starts.append(_parameters(settings, set(changed), dimensions, f"{path}: start {number}"))
    return SearchSpace(file, base, dimensions, tuple(starts))


def _dimensions(path: Path, file: SearchFile) -> dict[str, tuple[Dimension, ...]]:
    if not file.space:
        raise SettingsError(f"{path}: space: wanted a table for each setting to search. Received: none")
    found: dict[str, tuple[Dimension, ...]] = {}
    for key, content in file.space.items():
        source = f"{path}: space.{key}"
        if key not in FitSettings.model_fields:
            raise SettingsError(f"{source}: unknown key; known here: {', '.join(sorted(FitSettings.model_fields))}")
        if key in NOT_SEARCHED:
            raise SettingsError(f"{source}: cannot be searched: {NOT_SEARCHED[key]}")
        contents = content if isinstance(content, list) else [content]
        names = [key if not number else f"{key}#{number + 1}" for number in range(len(contents))]
        found[key] = tuple(
            dimension(key, name, parse(Entry, entry if isinstance(entry, dict) else {"value": entry}, source), source)
            for name, entry in zip(names, contents, strict=True)
        )
    return found


def _check_order(path: Path, dimensions: Mapping[str, Sequence[Dimension]]) -> None:
    """Raises SettingsError where an entry depends on a setting that is unknown or decided after it."""
    keys = list(dimensions)
    for number, key in enumerate(keys):
        for entry in dimensions[key]:
            for other in entry.depends_on:
                if other not in FitSettings.model_fields:
                    raise SettingsError(f"{path}: space.{key}: depends on '{other}', which is no setting of fit")
                if other in keys[number:]:
                    raise SettingsError(f"{path}: space.{key}: depends on '{other}'; put [space.{other}] above it")
            for other, allowed in entry.when.items():
                for value in allowed:
                    check_value(other, value, f"{path}: space.{key}.when")


def _check_points(path: Path, base: FitSettings, dimensions: Mapping[str, Sequence[Dimension]]) -> None:
    """Raises SettingsError where random points of the space are no valid settings, before any is trained."""
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(POINTS_TRIED):
        content = _composed(base, dimensions, lambda parameter: parameter.drawn(rng))
        _check_point(content, dimensions, f"{path}: space")


def _check_point(content: Mapping[str, Any], keys: Iterable[str], source: str) -> None:
    try:
        FitSettings.model_validate(content)
    except ValidationError as problem:
        said = problem.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        shown = ", ".join(f"{key}={content[key]!r}" for key in keys)
        raise SettingsError(f"{source}: {said}. Received: {shown}; `when` can rule that out") from problem


def _composed(base: FitSettings, dimensions: Mapping[str, Sequence[Dimension]], pick: Pick) -> dict[str, Any]:
    """A key of which no entry holds has the default of `fit`, so that it does not stand in another's way."""
    content = base.model_dump()
    for key, entries in dimensions.items():
        holding = next((entry for entry in entries if entry.holds(content)), None)
        default = FitSettings.model_fields[key].get_default()
        content[key] = default if holding is None else holding.value(pick, content)
    return content


def _parameters(
    settings: FitSettings, stated: Set[str], dimensions: Mapping[str, Sequence[Dimension]], source: str
) -> dict[str, Any]:
    """The parameters that make these settings. Raises SettingsError where the space does not hold them.

    stated: keys that must come out as they are; others, such as what a `when` switches off, may be changed.
    """
    found: dict[str, Any] = {}

    def look_up(parameter: Parameter) -> Any:
        found[parameter.name] = parameter.read(settings, source)
        return found[parameter.name]

    made = _composed(settings, dimensions, look_up)
    for key in sorted(stated):
        wanted = getattr(settings, key)
        if made[key] != wanted:
            raise SettingsError(f"{source}: {key} = {wanted!r} is not in space.{key}, which makes it {made[key]!r}")
    _check_point(made, dimensions, source)
    return found

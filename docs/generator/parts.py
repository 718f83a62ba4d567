"""Every generated part by its name: a new one is a line here and a region on a page."""

from collections.abc import Callable
from functools import partial
from typing import Final

from docs.generator import commands, values
from docs.generator.maps import code_map
from docs.generator.settings import settings_table
from eoltag.decide.task import TaskFile
from eoltag.model.package import Card
from eoltag.settings import Settings
from train.serving.settings import ServeSettings
from train.settings import FitSettings
from train.tune.space import SearchFile

PARTS: Final[dict[str, Callable[[], str]]] = {
    **{f"job {name}": partial(commands.job, name) for name in commands.job_names()},
    **{f"train {name}": partial(commands.verb, name) for name in commands.verb_names()},
    **{
        f"settings {name}": partial(settings_table, type(field.get_default()), f"{name}.")
        for name, field in Settings.model_fields.items()
    },
    "training settings": partial(settings_table, FitSettings),
    "search space": partial(settings_table, SearchFile),
    "serve settings": partial(settings_table, ServeSettings),
    "task file": partial(settings_table, TaskFile),
    "functions": values.functions,
    "card": partial(settings_table, Card),
    **{f"{kind} columns": partial(values.columns, kind) for kind in values.TABLES},
    "outcomes": values.outcomes,
    "exit codes": values.exit_codes,
    "errors": values.errors,
    **{f"map of {package}": partial(code_map, package) for package in ("eoltag", "train")},
}

"""Task files to SQL: which rule gives which tag. Strings only; Spark runs them, and no image is touched."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from eoltag.decide.packages import FetchPackage, given_models, read_packages
from eoltag.decide.several import TagRows, refused, rows_of_each
from eoltag.errors import TaskError, did_you_mean
from eoltag.image.features import FEATURES
from eoltag.model.package import Package
from eoltag.publish.task_table import TaskPublish
from eoltag.settings import Strict, parse, read_toml

__all__ = ["Task", "TaskFile", "read_task"]

TASK_FOLDER: Final = Path("conf/tasks")
NAME: Final = r"^[A-Za-z][A-Za-z0-9_]*$"
_THRESHOLD: Final = re.compile(r"\$\{threshold\.([^}]+)\}")


class ModelEntry(Strict):
    """One model of a task."""

    package: str = Field(min_length=1)
    """A model package, or a folder of attempts, of which the chosen one is meant: an absolute path, or relative to the
    task file, else to the current directory, else to the project."""


class Rule(Strict):
    """When `when` holds, the image gets the tag."""

    name: str = Field(min_length=1)
    """Name of the rule, different in each; the column `rule` of the tags table holds it."""
    when: str = Field(min_length=1)
    """A condition in Spark SQL; rules are tried in their order, and the first that holds wins."""
    tag: str | None = None
    """The tag, as text."""
    tag_sql: str | None = None
    """In place of `tag`: an expression such as `label`."""

    @model_validator(mode="after")
    def _one_tag(self) -> "Rule":
        if (self.tag is None) == (self.tag_sql is None):
            raise ValueError(f"rule '{self.name}' wants either tag or tag_sql")
        return self


class TaskFile(Strict):
    """conf/tasks/*.toml."""

    name: str = Field(pattern=NAME)
    """Names the task in the tables (`task=NAME`): letters, digits and `_`."""
    description: str = ""
    """For people."""
    missing: str = "NA"
    """The tag of an image that was read but that no rule tags."""
    columns: tuple[str, ...] = Field(
        ("eolMediaURL", "identifier", "dataObjectVersionID", "ancestry", "tag", "confidence"),
        strict=False,
        min_length=1,
    )
    """Columns of the TSV: `NAME`, or `NAME=SQL` over the columns of the tags table."""
    formats: tuple[str, ...] = Field(("tsv",), strict=False, min_length=1)
    """Formats of the tags beside Parquet, one or more: `tsv`, `jsonl` (JSON lines with the same columns), `delta` (a
    Delta table with the columns of the tags table)."""
    models: dict[str, ModelEntry] = Field(min_length=1)
    features: tuple[str, ...] = Field((), strict=False)
    """What is measured of every picture beside the models: further columns for rules, extras and the TSV."""
    bundle_columns: tuple[str, ...] = Field((), strict=False)
    """Further columns of the bundles, as texts for rules and columns of the tags table: COLUMN, or NAME=COLUMN."""
    rules: tuple[Rule, ...] = Field((), strict=False)
    extras: dict[str, str] = {}
    """Further columns of the tags table: `NAME = "SQL"`."""
    multiple: bool = False
    """Every rule that holds gives its tag, not only the first: an image may get several. The table of tags then has the
    lists `tags` and `confidences`; `tag` and `rule` join the tags and their rules by `|`."""
    tag_rows: TagRows = "joined"
    """With `multiple`: the exported files have one row for each image, tags joined (`joined`), or for each tag
    (`each`)."""
    where: str = Field("true", min_length=1)
    """Which of the images that were read stand in the TSV: a condition over the columns of the tags table."""
    publish: TaskPublish = TaskPublish()
    """What the tags mean to others, and what must hold before they are published."""

    @model_validator(mode="after")
    def _names_differ(self) -> "TaskFile":
        names = [rule.name for rule in self.rules]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"two rules of one name: {', '.join(doubled)}")
        for name in (*self.models, *self.extras):
            if not re.match(NAME, name):
                raise ValueError(f"{name!r} is no usable name for a model or an extra column")
        self._check_bundle_columns()
        return self

    @model_validator(mode="after")
    def _several_tags_are_told_apart(self) -> "TaskFile":
        names = {rule.name: "rule" for rule in self.rules} | {rule.tag: "tag" for rule in self.rules if rule.tag}
        if reason := refused({**names, self.missing: "missing"}, self.tag_rows, multiple=self.multiple):
            raise ValueError(reason)
        return self

    @model_validator(mode="after")
    def _agreement_names_models(self) -> "TaskFile":
        wanted = self.publish.agreement
        unknown = [name for name in wanted.models if name not in self.models] if wanted is not None else []
        if unknown:
            raise ValueError(f"publish.agreement: no model '{unknown[0]}'; the task has {', '.join(self.models)}")
        return self

    @model_validator(mode="after")
    def _features_are_known(self) -> "TaskFile":
        unknown = [name for name in self.features if name not in FEATURES]
        if unknown:
            raise ValueError(f"features: unknown feature {', '.join(unknown)}; known: {', '.join(FEATURES)}")
        return self

    def _check_bundle_columns(self) -> None:
        taken = {name.lower() for name in (*self.models, *self.extras, *self.features)}
        for name, column in pairs(self.bundle_columns):
            if not re.match(NAME, name):
                raise ValueError(
                    f"bundle_columns: {name!r} is no usable name (letters, digits and _); write NAME={column}"
                )
            if name.lower() in taken:
                raise ValueError(f"bundle_columns: a model, feature or other column is already called '{name}'")
            taken.add(name.lower())


@dataclass(frozen=True, slots=True)
class Task:
    """A task file with its packages read and verified."""

    path: Path
    file: TaskFile
    packages: dict[str, Package]
    kept: tuple[str, ...] = ()
    """What --keep adds to the columns that the task file names: see keeping.keeping."""

    @property
    def name(self) -> str:
        """As in the tables: task=NAME."""
        return self.file.name

    @property
    def taken(self) -> list[str]:
        """A sentence for each model of which an attempt was taken, or another package than the task file names."""
        return [
            f"task {self.name}: {model} is {package.place}, model version {package.version}"
            for model, package in self.packages.items()
            if not package.place.endswith(self.file.models[model].package.rstrip("/"))
        ]


def read_task(
    name_or_file: str, root: Path, models: Mapping[str, str] | None = None, fetch: FetchPackage | None = None
) -> Task:
    """The task NAME of conf/tasks (below the current directory, else below `root`), or a task file.

    models: TASK or TASK.MODEL to the package that takes the place of its own; those of other tasks are passed over.
    fetch: see read_packages. Raises TaskError, and PackageError for its packages.
    """
    path = _find_task(name_or_file, root)
    file = parse(TaskFile, read_toml(path, TaskError), str(path), TaskError)
    entries = {name: entry.package for name, entry in file.models.items()}
    task = Task(path, file, read_packages(file.name, entries, path, root, models or {}, fetch))
    refuse_slips(task)
    return task


def read_tasks(
    names: list[str], root: Path, models: Sequence[str] = (), fetch: FetchPackage | None = None
) -> list[Task]:
    """Each task once. models: TASK=PATH or TASK.MODEL=PATH, packages in place of those that the task files name.

    fetch: see read_packages. Raises TaskError where two files carry the same name, and where a model
    is for none of them.
    """
    tasks: dict[str, Task] = {}
    given = given_models(models)
    for name in names:
        task = read_task(name, root, given, fetch)
        known = tasks.setdefault(task.name, task)
        if known.path != task.path:
            raise TaskError(f"{task.path}: task '{task.name}' is already given by {known.path}")
    strangers = [key for key in given if key.partition(".")[0] not in tasks]
    if strangers:
        raise TaskError(f"--model: no task '{strangers[0].partition('.')[0]}' is run; running: {', '.join(tasks)}")
    return list(tasks.values())


class _ElsewhereError(Exception):
    """A package lies on a file system that only Spark reads."""


def check_tasks(names: list[str], root: Path, models: Sequence[str] = ()) -> None:
    """Refuse what read_tasks refuses, as far as it can be seen without Spark. Raises TaskError, PackageError.

    Nothing is looked at after the first package that does not lie on this machine.
    """

    def elsewhere(origin: str) -> Package:
        raise _ElsewhereError(origin)

    with suppress(_ElsewhereError):
        read_tasks(names, root, models, elsewhere)


def refuse_slips(task: Task) -> None:
    """Read every expression of the task. Raises TaskError for what needs no Spark to be seen."""
    from eoltag.decide.slips import find_slip  # brings sqlglot, which no worker needs

    labels = {model: package.card.labels for model, package in task.packages.items()}
    tags = set() if task.file.multiple else _tags(task)  # a TSV column may ask for several, joined
    for place, expression in expressions(task):
        if slip := find_slip(expression, labels, tags):
            raise TaskError(f"{task.path}: {place}: {slip}")
    _refuse_unknown_tags(task)


def _refuse_unknown_tags(task: Task) -> None:
    """Raises TaskError where `[publish]` speaks of a tag that no image can get."""
    known = _tags(task)
    for key in ("terms", "max_flip_rates"):
        unknown = [tag for tag in getattr(task.file.publish, key) if tag not in known] if known else []
        if unknown:
            near = did_you_mean(unknown[0], known)
            raise TaskError(
                f"{task.path}: publish.{key}: no rule gives the tag '{unknown[0]}'; "
                f"tags: {', '.join(sorted(known))}{near}"
            )


def expressions(task: Task) -> list[tuple[str, str]]:
    """(place in the task file, SQL with thresholds filled in) of every expression."""
    found = [(f"rule '{name}'", condition) for name, condition in rule_conditions(task)]
    found += [(f"tag_sql of rule '{rule.name}'", rule.tag_sql) for rule in task.file.rules if rule.tag_sql is not None]
    found += [(f"extra column '{name}'", expression) for name, expression in extra_columns(task).items()]
    found += [(f"TSV column '{name}'", expression) for name, expression in tsv_columns(task)]
    return [*found, ("where", tsv_condition(task))]


def rule_conditions(task: Task) -> list[tuple[str, str]]:
    """(rule name, SQL condition) with thresholds filled in, in the order in which they are tried."""
    return [(rule.name, _filled(rule.when, task)) for rule in task.file.rules]


def rows_by_rule(task: Task, rows: Mapping[str, int]) -> dict[str, int]:
    """Every rule in its order -> the rows that it tagged; 0 for one that never fired. rows: what was counted."""
    if not task.file.multiple:
        return {rule.name: rows.get(rule.name, 0) for rule in task.file.rules}
    return rows_of_each([rule.name for rule in task.file.rules], rows)


def extra_columns(task: Task) -> dict[str, str]:
    """Extra column -> SQL expression with thresholds filled in."""
    return {name: _filled(expression, task) for name, expression in task.file.extras.items()}


def tsv_columns(task: Task) -> list[tuple[str, str]]:
    """(header, SQL expression over the tags table) of each column of the TSV."""
    return pairs(task.file.columns)


def bundle_columns(task: Task) -> dict[str, str]:
    """Name in rules and tables -> column of the bundles."""
    return dict(pairs(task.file.bundle_columns))


def tsv_condition(task: Task) -> str:
    """Which rows of the tags table stand in the TSV, with thresholds filled in."""
    return _filled(task.file.where, task)


def _tags(task: Task) -> set[str]:
    """The tags that an image can get; none where a rule computes others than labels."""
    if any(rule.tag_sql not in (None, "label") for rule in task.file.rules):
        return set()
    tags = {task.file.missing, *(rule.tag for rule in task.file.rules if rule.tag is not None)}
    if any(rule.tag_sql for rule in task.file.rules):
        tags |= set(next(iter(task.packages.values())).card.labels)
    return tags


def pairs(columns: Iterable[str]) -> list[tuple[str, str]]:
    """NAME=VALUE, or NAME for both."""
    parted = (column.partition("=") for column in columns)
    return [(name.strip(), value.strip() or name.strip()) for name, _, value in parted]


def _filled(expression: str, task: Task) -> str:
    """${threshold.LABEL}, or ${threshold.MODEL.LABEL} where the task has several models, from the packages' cards."""

    def value(match: re.Match[str]) -> str:
        model, label = next(iter(task.packages)), match.group(1)
        if len(task.packages) > 1:
            model, _, label = label.partition(".")
        package = task.packages.get(model)
        if package is None or label not in package.card.thresholds:
            known = ", ".join(sorted(package.card.thresholds)) if package else f"models {', '.join(task.packages)}"
            raise TaskError(f"{task.path}: {match.group(0)} is not in the package's card; known: {known or 'none'}")
        return repr(package.card.thresholds[label])

    return _THRESHOLD.sub(value, expression)


def threshold_placeholder(task: Task, model: str, label: str) -> str:
    """How a rule writes the threshold of a label of one of the task's models."""
    return f"${{threshold.{f'{model}.' if len(task.packages) > 1 else ''}{label}}}"


def text_literal(text: str) -> str:
    """A text as a literal of Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _find_task(name_or_file: str, root: Path) -> Path:
    given = Path(name_or_file)
    if given.suffix == ".toml":
        if given.is_file():
            return given
        raise TaskError(f"{given}: no such task file")
    for folder in (TASK_FOLDER, root / TASK_FOLDER):
        if (folder / f"{name_or_file}.toml").is_file():
            return folder / f"{name_or_file}.toml"
    known = sorted({path.stem for folder in (TASK_FOLDER, root / TASK_FOLDER) for path in folder.glob("*.toml")})
    near = did_you_mean(name_or_file, known)
    raise TaskError(f"unknown task '{name_or_file}'; known: {', '.join(known) or 'none'} (or give a .toml file){near}")

"""Which package each model of a task takes: the one that its file names, or the one that --model gives."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from eoltag.errors import PackageError, TaskError
from eoltag.model.package import Package, read_package
from eoltag.places import PACKAGE

FetchPackage = Callable[[str], Package]
"""Reads a package that lies on a file system of its own: s3a://..., hdfs://... Raises PackageError."""

RECIPE_FOLDER: Final = Path("conf/train")


def given_models(models: Sequence[str]) -> dict[str, str]:
    """TASK=PATH and TASK.MODEL=PATH of --model as TASK or TASK.MODEL to package. Raises TaskError."""
    found: dict[str, str] = {}
    for text in models:
        key, sign, path = text.partition("=")
        if not (sign and key.strip() and path.strip()):
            raise TaskError(f"--model: wanted TASK=PATH or TASK.MODEL=PATH. Received: {text!r}")
        found[key.strip()] = path.strip()
    return found


def read_packages(
    task: str,
    entries: Mapping[str, str],
    task_path: Path,
    root: Path,
    given: Mapping[str, str],
    fetch: FetchPackage | None = None,
) -> dict[str, Package]:
    """Model -> package. entries: model to what the task file names. given: see given_models.

    fetch: for those that do not lie here; None refuses them. Raises PackageError, and TaskError for a given model that
    the task has not.
    """
    others = _given_for(task, tuple(entries), given)
    found = {}
    for model, entry in entries.items():
        place = others.get(model, entry)
        if "://" not in place:
            found[model] = read_package(Path(place) if model in others else _find(task, place, task_path, root))
        elif fetch is not None:
            found[model] = fetch(place)
        else:
            raise PackageError(f"{place}: a package on this machine was wanted")
    return found


def _given_for(task: str, models: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Model of this task -> the package that is given for it. Raises TaskError."""
    found: dict[str, str] = {}
    for key, path in given.items():
        name, _, model = key.partition(".")
        if name != task:
            continue
        if not model and len(models) > 1:
            known = ", ".join(f"{task}.{one}" for one in models)
            raise TaskError(f"--model {key}: the task has several models; wanted one of {known}")
        model = model or models[0]
        if model not in models:
            raise TaskError(f"--model {key}: the task has no such model; known: {', '.join(models)}")
        found[model] = path
    return found


def _find(task: str, entry: str, task_path: Path, root: Path) -> Path:
    """Where the package lies. Raises PackageError where it is not there, with the commands that make one."""
    candidates = [Path(entry)] if Path(entry).is_absolute() else [task_path.parent / entry, Path(entry), root / entry]
    for path in candidates:
        if path.is_dir():
            return path
    recipe = RECIPE_FOLDER / f"{Path(entry).name}.toml"
    config = recipe if (root / recipe).is_file() else RECIPE_FOLDER / "NAME.toml"
    if root == PACKAGE:
        config = root / config  # no checkout: the recipe lies where pip has put it
    raise PackageError(
        f"{task_path}: the model package {entry} is not there; make it with `python -m train fit {config} --data "
        f"PHOTOS --out {entry}`, bring a trained model with `python -m train import MODEL --labels A,B,C --scaling ... "
        f"--output ... --out {entry}`, or name another package with --model {task}=PATH"
    )

"""Report of a search: a table of its trials, the best of them as a config, plots and a page."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState

from train.report.pages import write_json, write_page
from train.settings import write_settings
from train.tune.confirm import verdict
from train.tune.plots import draw_plots, importances
from train.tune.study import CUT_OFF, SETTINGS, START, SearchStudy, is_base, outcome, retry_history

TRIALS_FILE: Final = "trials.csv"
BEST_FILE: Final = "best.toml"
SUMMARY_FILE: Final = "tune.json"
STATES: Final = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
MEASURED: Final = ("val_accuracy", "val_loss", "epochs", "best_epoch", "parameters", "seconds")


def write_progress(record: SearchStudy) -> None:
    """trials.csv and best.toml as they stand, each whole."""
    rows = [row(trial) for trial in record.ended]
    keys = list(record.search.dimensions)
    staged = record.folder / f"{TRIALS_FILE}.tmp"
    with staged.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["trial", "state", *MEASURED, *keys, "note"])
        for found in rows:
            settings = [_joined(found["settings"].get(key)) for key in keys]
            table.writerow(
                [found["trial"], found["state"], *(found[key] for key in MEASURED), *settings, found["note"]]
            )
    staged.replace(record.folder / TRIALS_FILE)
    best = record.best()
    if best is not None:
        staged = record.folder / f"{BEST_FILE}.tmp"
        of_best = outcome(best)
        write_settings(
            record.search.settings_of(best.user_attrs[SETTINGS]),
            staged,
            f"The best of {len(rows)} trials, number {best.number}: validation accuracy {of_best['val_accuracy']:.4f}, "
            f"loss {of_best['val_loss']:.4f}.\n\n  python -m train fit {BEST_FILE} --data DIR --out DIR\n ",
        )
        staged.replace(record.folder / BEST_FILE)


def write_report(
    record: SearchStudy, confirmed: Sequence[dict[str, Any]], data: Path, held: int, seconds: float
) -> dict[str, Any]:
    """Everything there is to see, from a record with a completed trial; returns the summary as plain JSON values.

    held: images that trials were compared on. seconds: of this call.
    """
    write_progress(record)
    rows = [row(trial) for trial in record.ended]
    best, base = record.best(), record.base()
    assert best is not None
    found = importances(record)
    document = {
        "out": str(record.folder),
        "data": str(data),
        "metric": record.search.file.metric,
        "trials": dict(Counter(each["state"] for each in rows)),
        "images_to_validate": held,
        "best": row(best),
        "base": row(base) if base else None,
        "verdict": verdict(record, confirmed, held),
        "confirmed": list(confirmed),
        "importances": found,
        "config": str(record.folder / BEST_FILE),
        "seconds": round(seconds, 1),
    }
    write_json(record.folder / SUMMARY_FILE, document)
    ranked = sorted(rows, key=lambda each: _order(each, record.search.file.metric))
    write_page(
        record.folder,
        "tune.html.j2",
        found=document,
        rows=ranked,
        keys=list(record.search.dimensions),
        plots=draw_plots(record, record.folder, has_importances=bool(found)),
        cell=_cell,
    )
    return document


def row(trial: FrozenTrial) -> dict[str, Any]:
    """One trial as plain JSON values; what is not known is None."""
    found = outcome(trial)
    notes = []
    if START in trial.user_attrs:
        notes.append("the base" if is_base(trial) else "a start")
    notes += [f"tried again after trial {number} was cut off" for number in retry_history(trial)]
    if "same_as" in found:
        notes.append(f"the same settings as trial {found['same_as']}, not trained again")
    if trial.state == TrialState.FAIL:
        notes.append(found.get("reason", CUT_OFF))
    return {
        "trial": trial.number,
        "state": STATES[trial.state],
        **{key: found.get(key) for key in MEASURED},
        "settings": trial.user_attrs.get(SETTINGS, {}),
        "note": "; ".join(notes),
    }


def _order(found: dict[str, Any], metric: str) -> tuple[int, float, float]:
    """Completed trials by rank, then pruned ones, then failures."""
    group = list(STATES.values()).index(found["state"])
    value, loss = found[metric], found["val_loss"]
    if value is None:
        return group, 0.0, float(found["trial"])
    return group, -value if metric == "val_accuracy" else value, loss


def _joined(value: Any) -> Any:
    """A list as one cell; none for an empty list or text."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    return "none" if value == "" else value


def _cell(value: Any) -> str:
    """Short enough for a page."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(_joined(value))

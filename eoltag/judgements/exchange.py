"""Judgements in and out: CSV for spreadsheets, and the JSON of Label Studio."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError
from eoltag.judgements.record import Judgement, now
from eoltag.records import JOINER, parted

_SAME: Final = ("content_sha256", "task", "shown_tag", "said_tag", "person", "judged_at", "drawn")
COLUMNS: Final = {"eolMediaURL": "url", **{name: name for name in _SAME}, "choices": "choices"}
"""Column -> field of a judgement; `choices` is joined by `|`."""
_WANTED: Final = ("content_sha256", "task", "said_tag")
_CHOICE: Final = "tag"
"""The name of the choice in Label Studio's labelling configuration."""


def write_csv(path: Path, judgements: Iterable[Judgement]) -> int:
    """A line for each; an empty `said_tag` is one that is still to be filled in. Returns their number."""
    number = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for one in judgements:
            writer.writerow([_cell(getattr(one, field)) for field in COLUMNS.values()])
            number += 1
    return number


def _cell(value: str | list[str] | None) -> str:
    return JOINER.join(value) if isinstance(value, list) else value or ""


def read_csv(path: Path, person: str) -> list[Judgement]:
    """Lines whose `said_tag` is filled in. person: of those that name none. Raises DataError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in _WANTED if name not in (reader.fieldnames or [])]
            if missing:
                raise DataError(f"{path}: wanted a column {missing[0]}. Received: {', '.join(reader.fieldnames or [])}")
            return [_of_row(row, person) for row in reader if (row["said_tag"] or "").strip()]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise DataError(f"{path}: cannot be read as CSV ({problem})") from problem


def _of_row(row: dict[str, str], person: str) -> Judgement:
    said = row["said_tag"].strip()
    return Judgement(
        person=(row.get("person") or "").strip() or person,
        task=row["task"],
        url=row.get("eolMediaURL") or "",
        content_sha256=row["content_sha256"],
        shown_tag=row.get("shown_tag") or None,
        said_tag=None if said == "?" else said,
        drawn=row.get("drawn") or "csv",
        judged_at=(row.get("judged_at") or "").strip() or now(),
        choices=list(parted(row.get("choices"))),
    )


def label_studio_tasks(judgements: Iterable[Judgement], missing: Mapping[str, str]) -> list[dict[str, Any]]:
    """What Label Studio imports as tasks: the image, the shown tags as prediction, and what was said as annotation.

    missing: task with several tags an image -> the tag of an image that shows none. There the tags to choose from stand
    in `choices`, as `<Choices name="tag" toName="image" choice="multiple" value="$choices">` takes them.
    """
    return [
        {
            "data": {
                "image": one.url, "content_sha256": one.content_sha256, "task": one.task,
                **({"choices": [{"value": tag} for tag in (*one.choices, missing[one.task])]} if is_joined else {}),
            },
            "predictions": [{"result": [_choice(one.shown_tag, is_joined)]}] if one.shown_tag else [],
            "annotations": [{"result": [_choice(one.said_tag, is_joined)], "completed_by": {"email": one.person}}]
            if one.said_tag
            else [],
        }
        for one in judgements
        for is_joined in [one.task in missing]
    ]  # fmt: skip


def read_label_studio(path: Path, person: str) -> list[Judgement]:
    """The annotations of a Label Studio export (JSON). Raises DataError."""
    try:
        documents = json.loads(path.read_text(encoding="utf-8"))
        return [one for document in documents for one in _annotations(document, person)]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as problem:
        raise DataError(f"{path}: wanted Label Studio's JSON export of tasks made by eoltag ({problem!r})") from problem


def _annotations(document: dict[str, Any], person: str) -> list[Judgement]:
    data, predictions = document["data"], document.get("predictions") or []
    shown = _chosen(predictions[0]) if predictions else None
    blank = Judgement(person, data["task"], data["image"], data["content_sha256"], shown, None, "label studio")
    blank = replace(blank, choices=[choice["value"] for choice in data.get("choices", [])])
    found = []
    for annotation in document["annotations"]:
        if annotation.get("was_cancelled"):
            continue
        by = annotation.get("completed_by")
        name = by.get("email", person) if isinstance(by, dict) else person if by is None else f"user {by}"
        at = annotation.get("updated_at") or annotation.get("created_at") or now()
        found.append(replace(blank, person=name, said_tag=_chosen(annotation), judged_at=at))
    return found


def _choice(tag: str, is_joined: bool) -> dict[str, Any]:
    tags = list(parted(tag)) if is_joined else [tag]
    return {"from_name": _CHOICE, "to_name": "image", "type": "choices", "value": {"choices": tags}}


def _chosen(part: dict[str, Any]) -> str | None:
    """What was chosen, joined where it is more than one; None for nothing."""
    chosen: Sequence[str] = [
        choice for one in part["result"] if one["from_name"] == _CHOICE for choice in one["value"]["choices"]
    ]
    return JOINER.join(chosen) if chosen else None

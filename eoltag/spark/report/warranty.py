"""What people have said of a task, and what an audit has certified, for the page."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from eoltag.judgements.record import FOLDER, Judgement, agreed, latest, parse
from eoltag.publish.manifest import CERTIFICATES
from eoltag.report.certificate import certificate_page
from eoltag.report.content import Warranty
from eoltag.spark.tables.output import Output

_SHOWN: Final = frozenset({"judged", "lapsed", "models", "publication", "tags"})


def read_judged(output: Output) -> list[Judgement]:
    """All judgements of an output directory, wherever it lies. Raises DataError."""
    paths = [output.path(FOLDER, name) for name in output.files.names(output.path(FOLDER)) if name.endswith(".jsonl")]
    return parse([(path, output.files.read_text(path).encode()) for path in paths])


def warranty_of(
    output: Output, task: str, judgements: list[Judgement], each: Callable[[str | None], Sequence[str]]
) -> Warranty:
    """The warranty of one task. judgements: of all tasks. each: the tags of an image, from their text."""
    mine = [one for one in judgements if one.task == task]
    held = latest(mine)
    said = agreed(mine)
    shown: dict[str, Sequence[str | None]] = {
        one.content_sha256: each(one.shown_tag) or [None] for one in held.values()
    }
    right = [tag in each(one.tag) for one in said if one.tag is not None for tag in shown[one.content_sha256]]
    return Warranty(
        judged=len(said),
        right=sum(right),
        wrong=len(right) - sum(right),
        disputed=sum(one.is_disputed for one in said),
        people=len({one.person for one in held.values()}),
        certificate=_certificate(output, task),
    )


def renew_certificate_page(output: Output, task: str, document: Mapping[str, Any]) -> None:
    """report/certificate_TASK.html with what its certificate says now, where `eoltag audit` has written one."""
    path = output.path("report", f"certificate_{task}.html")
    if output.files.exists(path):
        output.files.write_text(path, certificate_page(document))


def _certificate(output: Output, task: str) -> dict[str, Any] | None:
    """None where there is none, or what is there cannot be read: the guards of a publication say so."""
    path = output.path(CERTIFICATES, f"{task}.json")
    if not output.files.exists(path):
        return None
    try:
        document = json.loads(output.files.read_text(path))
    except ValueError:
        return None
    return document if isinstance(document, dict) and document.keys() >= _SHOWN else None

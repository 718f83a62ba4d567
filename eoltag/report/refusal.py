"""The page report/refused.html: why a publication was refused, and which tags would have flipped, with pictures."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eoltag.publish.guards import Flip
from eoltag.report.gallery import link_of
from eoltag.report.page import assets, environment
from eoltag.report.summary import NO_TAG

PAGE: Final = "report/refused.html"


@dataclass(frozen=True, slots=True)
class TaskRefused:
    """A task beside the current publication."""

    name: str
    version: str
    """The current publication."""
    tagged: int
    flipped: int
    transitions: Sequence[tuple[str, str, int]]
    """(old tag, new tag, images)."""
    flips: Sequence[Flip]
    """The most confident ones."""


def refusal_page(reasons: Sequence[str], tasks: Sequence[TaskRefused], pictures: Mapping[str, bytes]) -> str:
    """The page as HTML that asks the network for nothing. pictures: URL -> JPEG or WebP."""
    template = environment().get_template("refused.html.j2")
    images = {url: f"data:image/{_kind(data)};base64,{b64encode(data).decode()}" for url, data in pictures.items()}
    links = {flip.url: link_of(flip.url) for task in tasks for flip in task.flips}
    return template.render(**assets(), reasons=reasons, tasks=tasks, pictures=images, links=links, none=NO_TAG)


def _kind(data: bytes) -> str:
    return "webp" if data[:4] == b"RIFF" else "jpeg"

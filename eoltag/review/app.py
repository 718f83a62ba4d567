"""The web service of a review: the page, its queue, its pictures; judgements are appended as they come.

Only who knows the token gets anything; other origins and other host names are refused.
"""

import base64
import hashlib
import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from eoltag.judgements.follow import Follower
from eoltag.judgements.record import Judgement, append, now
from eoltag.records import parted
from eoltag.review.pictures import Pictures, media_type
from eoltag.review.queue import Item

PAGE: Final = Path(__file__).parent / "page"
PAGE_SIZE: Final = 60
"""Images that the browser asks for at a time."""


LONGEST_TAG: Final = 200
MOST_LETTERS: Final = 2_000
"""Of several tags together."""


class Said(BaseModel):
    """A judgement as the page sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    person: str = Field(min_length=1, max_length=64)
    task: str
    content_sha256: str
    said_tag: str | None = Field(max_length=MOST_LETTERS)
    is_withdrawn: bool = False
    id: str = Field(min_length=8, max_length=64)

    @field_validator("said_tag")
    @classmethod
    def _is_short(cls, said: str | None) -> str | None:
        if any(len(tag) > LONGEST_TAG for tag in parted(said)):
            raise ValueError(f"a tag has at most {LONGEST_TAG} letters")
        return said


@dataclass(slots=True)
class Review:
    """What is reviewed, and by which rules."""

    output: Path
    items: Sequence[Item]
    tags: dict[str, list[str]]
    """Task -> tags to choose from."""
    missing: dict[str, str]
    """Task that may give an image several tags -> the tag of an image that shows none of them."""
    drawn: str
    """How the images came to be shown, for the judgements."""
    token: str
    hosts: frozenset[str]
    """Host names, with port, that the page is reached by."""
    by_key: dict[tuple[str, str], Item] = field(default_factory=dict)
    """(task, content) -> image, in the order of the items."""

    def __post_init__(self) -> None:
        self.by_key = {(item.task, item.content_sha256): item for item in self.items}


def make_app(review: Review) -> FastAPI:
    """The service."""
    app = FastAPI(title="eoltag review", docs_url=None, redoc_url=None, openapi_url=None)
    pictures = Pictures(review.output, {item.content_sha256 for item in review.items})
    judgements, writing = Follower(review.output), threading.Lock()
    allowed = Depends(_guard(review))
    files = {name: (PAGE / f"review.{name}").read_text(encoding="utf-8") for name in ("html", "css", "js")}

    @app.get("/", dependencies=[allowed])
    def page() -> Response:
        text = files["html"].replace("/*style*/", files["css"]).replace("/*script*/", files["js"])
        return Response(text, media_type="text/html", headers=_headers(files))

    @app.get("/api/queue", dependencies=[allowed])
    def queue(person: str, start: int = 0) -> dict[str, Any]:
        said = judgements.of(person)
        shown = review.items[start : start + PAGE_SIZE]
        rows = []
        for item in shown:
            mine = said.get((item.task, item.content_sha256))
            judged = None if mine is None else {"said_tag": mine.said_tag}
            rows.append({**item.as_dict(), "judged": judged})
        done = len(review.by_key.keys() & said.keys())
        first_open = next((place for place, key in enumerate(review.by_key) if key not in said), len(review.items))
        return {"total": len(review.items), "done": done, "first_open": first_open, "start": start, "items": rows,
                "tags": review.tags, "missing": review.missing}  # fmt: skip

    @app.get("/api/picture/{task}/{content}", dependencies=[allowed])
    def picture(task: str, content: str, size: Literal["large", "any"] = "any") -> Response:
        item = review.by_key.get((task, content))
        data = pictures.find(content, None if size == "large" else item.url) if item is not None else None
        if data is None:
            raise HTTPException(404, "no picture is kept")
        return Response(data, media_type=media_type(data), headers={"Cache-Control": "private, max-age=86400"})

    @app.post("/api/judge", dependencies=[allowed])
    def judge(said: Annotated[list[Said], Field(min_length=1, max_length=PAGE_SIZE)]) -> dict[str, int]:
        new = [_judgement(review, one) for one in said]
        with writing:
            append(review.output, new)
        return {"written": len(new)}

    return app


def _judgement(review: Review, said: Said) -> Judgement:
    item = review.by_key.get((said.task, said.content_sha256))
    if item is None:
        raise HTTPException(404, "no such image in this review")
    blank = Judgement(
        said.person, said.task, item.url, item.content_sha256, item.tag, said.said_tag, review.drawn, item.models, now()
    )
    return replace(blank, is_withdrawn=said.is_withdrawn, id=said.id, choices=_choices(review, item, said.said_tag))


def _choices(review: Review, item: Item, said: str | None) -> list[str]:
    """The tags that the page has offered of an image with several, and those that the person has typed."""
    if item.tags is None or said is None:
        return []
    offered = dict.fromkeys([*review.tags.get(item.task, []), *item.tags, *parted(said)])
    return [tag for tag in offered if tag != review.missing.get(item.task)]


def _guard(review: Review) -> Any:
    """Refuses a wrong token, another host name (DNS rebinding), and requests that other pages send."""

    def check(request: Request) -> None:
        given = request.headers.get("x-token") or request.query_params.get("token") or ""
        if not hmac.compare_digest(given.encode(), review.token.encode()):
            raise HTTPException(403, "open the address that eoltag review has printed: it holds the token")
        if request.headers.get("host", "") not in review.hosts:
            raise HTTPException(403, "this host name is not that of the review")
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc not in review.hosts:
            raise HTTPException(403, "another page sent this")

    return check


def _headers(files: dict[str, str]) -> dict[str, str]:
    """Only our own script and style run; pictures may come from where the bundle says."""
    style, script = (_hash(files[name]) for name in ("css", "js"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src 'self' data: http: https:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

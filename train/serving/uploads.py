"""The body of a request to its image files, by the multipart parser of Starlette."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from train.serving.admission import Reservation
from train.serving.refusals import Refused, bad_request, too_large, unsupported
from train.serving.settings import ServeSettings

FIELD: Final = "img"
FIELDS: Final = (FIELD, "image")
"""decathlon's service reads the first, its README names the second."""
OTHER_PARTS: Final = 32
"""Form fields that are no files are passed over, up to this many."""
LONGEST_NAME: Final = 200
WANTED: Final = f"wanted multipart/form-data with image files in the field '{FIELD}' or 'image'"
LIMITS: Final = {
    "Too many files": "too_many_images",
    "Too many fields": "too_many_fields",
    "Part exceeded": "too_large",
}
"""How Starlette's messages about its limits begin, and the reasons that clients are given."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One image file as it came."""

    name: str
    """Its last part only, for answers and messages; never used as a path."""
    data: bytes


class _Parser(MultiPartParser):
    """Starlette's, with files in memory, with their bytes counted, and refusing a body without its closing boundary."""

    spool_max_size = 0  # no limit: nothing that a client sends is written to disk

    def __init__(self, request: Request, settings: ServeSettings, reservation: Reservation) -> None:
        chunks = self._counted(request, reservation)
        super().__init__(request.headers, chunks, max_files=settings.max_images, max_fields=OTHER_PARTS)
        self._is_complete = False

    async def _counted(self, request: Request, reservation: Reservation) -> AsyncGenerator[bytes, None]:
        async for chunk in request.stream():
            reservation.add_bytes(len(chunk))
            yield chunk
        if not self._is_complete:
            raise _broken("ends before its closing boundary")

    def on_end(self) -> None:
        self._is_complete = True


async def read_uploads(request: Request, settings: ServeSettings, reservation: Reservation) -> list[Upload]:
    """The files of the fields `img` and `image`, in order; at least one. Raises Refused, ClientDisconnect."""
    _check_kind(request)
    form = await _parsed(_Parser(request, settings, reservation))
    try:
        return [await _upload(file, settings.max_bytes) for file in _files(form)]
    finally:
        await form.close()


def _files(form: FormData) -> list[UploadFile]:
    """Raises Refused (400) where the form holds something else, or nothing."""
    for name, value in form.multi_items():
        if isinstance(value, str):
            if name in FIELDS:
                raise bad_request("no_file", f"the field '{name}' holds text, no file; with curl: -F {name}=@a.jpg")
        elif name not in FIELDS:
            raise bad_request("wrong_field", f"wanted files in the field '{FIELD}'. Received: {_clean(name)!r}")
        elif not value.filename:
            raise bad_request("no_file", f"the field '{name}' came without a file: none was chosen")
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        came = ", ".join(repr(_clean(name)) for name in form) or "no fields"
        raise bad_request("no_file", f"{WANTED}. Received: {came[:LONGEST_NAME]}")
    return files


def _check_kind(request: Request) -> None:
    """Raises Refused (415) where the body is of another kind."""
    kind, encoding = request.headers.get("content-type"), request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise unsupported("content_encoding", f"wanted a body without Content-Encoding. Received: {encoding[:40]!r}")
    if parse_options_header(kind)[0] != b"multipart/form-data":
        raise unsupported("not_multipart", f"{WANTED}. Received: {(kind or 'no Content-Type')[:80]!r}")


async def _parsed(parser: MultiPartParser) -> FormData:
    try:
        return await parser.parse()
    except MultiPartException as problem:
        for words, reason in LIMITS.items():
            if problem.message.startswith(words):
                raise too_large(reason, problem.message) from problem
        raise _broken(f"is broken: {problem.__cause__ or problem.message}") from problem


async def _upload(file: UploadFile, max_bytes: int) -> Upload:
    name = _clean(file.filename or "")
    if (file.size or 0) > max_bytes:
        raise too_large("too_large", f"{name}: more than {max_bytes:,} bytes")
    data = await file.read()
    await file.close()  # its bytes are held once
    return Upload(name, data)


def _broken(what: str) -> Refused:
    return bad_request("broken_multipart", f"the multipart body {what}")


def _clean(name: str) -> str:
    """The last part of a path, without control characters, not too long."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(letter if letter.isprintable() else "?" for letter in last)[:LONGEST_NAME] or "?"

"""The body of a request to its image files, read as it arrives and never beyond the limits."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from train.serving.admission import Visit
from train.serving.refusals import bad_request, too_large, unsupported
from train.serving.settings import ServeSettings

FIELD: Final = "img"
OTHER_PARTS: Final = 32
"""Form fields that are no files are passed over, up to this many."""
LONGEST_NAME: Final = 200
WANTED: Final = f"wanted multipart/form-data with image files in the field '{FIELD}'"


@dataclass(frozen=True, slots=True)
class Upload:
    """One image file as it came."""

    name: str
    """Its last part only, for answers and messages; never used as a path."""
    data: bytes


def boundary_of(content_type: str | None, encoding: str | None) -> bytes:
    """What separates the parts of the body. Raises Refused (400, 415) where the body is of another kind."""
    if encoding and encoding.strip().lower() != "identity":
        raise unsupported("content_encoding", f"wanted a body without Content-Encoding. Received: {encoding[:40]!r}")
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise unsupported("not_multipart", f"{WANTED}. Received: {(content_type or 'no Content-Type')[:80]!r}")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise bad_request("no_boundary", "the Content-Type multipart/form-data names no boundary")
    return boundary


def check_declared(length: str | None, settings: ServeSettings) -> None:
    """Raises Refused (413) before a byte of the body is read, where its Content-Length is over the limit."""
    if length is not None and int(length) > settings.max_request_bytes:
        raise _body_too_large(settings)


async def read_uploads(
    chunks: AsyncIterator[bytes], boundary: bytes, settings: ServeSettings, visit: Visit
) -> list[Upload]:
    """The files of the field `img`, in order; at least one. Raises Refused, as soon as the reason has arrived."""
    form = _Form(settings)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin,
                "on_header_field": form.header_name,
                "on_header_value": form.header_value,
                "on_header_end": form.header_end,
                "on_headers_finished": form.headers_end,
                "on_part_data": form.data,
                "on_part_end": form.end,
                "on_end": form.finish,
            },
        )
        async for chunk in chunks:
            if visit.bytes + len(chunk) > settings.max_request_bytes:
                raise _body_too_large(settings)
            visit.add_bytes(len(chunk))
            parser.write(chunk)
    except FormParserError as problem:
        raise bad_request("broken_multipart", f"the multipart body is broken: {problem}") from problem
    return form.uploads()


class _Form:
    """Collects the parts that the parser finds."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._uploads: list[Upload] = []
        self._seen: list[str] = []
        self._is_complete = False
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._name: str | None = None
        self._content = bytearray()

    def begin(self) -> None:
        self._disposition = b""
        self._name = None
        self._content = bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def headers_end(self) -> None:
        """Now it is known what the part is."""
        _, options = parse_options_header(self._disposition)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if not field:
            raise bad_request("broken_multipart", "a part of the multipart body has no field name")
        self._seen.append(field)
        if sum(name != FIELD for name in self._seen) > OTHER_PARTS:
            raise too_large("too_many_fields", f"wanted at most {OTHER_PARTS} fields beside the images")
        if b"filename" in options:
            self._name = self._file_name(field, options[b"filename"])
        elif field == FIELD:
            raise bad_request("no_file", f"the field '{FIELD}' holds text, no file; with curl: -F {FIELD}=@photo.jpg")

    def _file_name(self, field: str, name: bytes) -> str:
        if field != FIELD:
            raise bad_request("wrong_field", f"wanted files in the field '{FIELD}'. Received: {_clean(field)!r}")
        if not name:
            raise bad_request("no_file", f"the field '{FIELD}' came without a file: none was chosen")
        if len(self._uploads) >= self._settings.max_images:
            raise too_large("too_many_images", f"wanted at most {self._settings.max_images} images in one request")
        return _clean(name.decode("utf-8", "replace"))

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._name is None:
            return
        limit = self._settings.max_bytes
        if len(self._content) + end - start > limit:
            raise too_large("too_large", f"{self._name}: more than {limit:,} bytes")
        self._content.extend(memoryview(data)[start:end])

    def end(self) -> None:
        if self._name is not None:
            self._uploads.append(Upload(self._name, bytes(self._content)))

    def finish(self) -> None:
        self._is_complete = True

    def uploads(self) -> list[Upload]:
        """Raises Refused (400) where the body stopped early or held no image."""
        if not self._is_complete:
            raise bad_request("broken_multipart", "the multipart body ends before its closing boundary")
        if not self._uploads:
            came = ", ".join(repr(_clean(name)) for name in self._seen) or "no fields"
            raise bad_request("no_file", f"{WANTED}. Received: {came[:LONGEST_NAME]}")
        return self._uploads


def _clean(name: str) -> str:
    """The last part of a path, without control characters, not too long."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(letter if letter.isprintable() else "?" for letter in last)[:LONGEST_NAME] or "?"


def _body_too_large(settings: ServeSettings) -> Exception:
    return too_large("too_large", f"wanted a body of at most {settings.max_request_bytes:,} bytes")

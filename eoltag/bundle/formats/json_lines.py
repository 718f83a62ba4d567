"""JSON lines: one object a line, its keys the columns."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from eoltag.bundle.formats.columns import ABSENT, PROBED_ROWS, choose_columns
from eoltag.bundle.formats.content import BundleFormat, Columned, Sample, Tally
from eoltag.bundle.formats.text import Source, short, trimmed
from eoltag.errors import BundleError
from eoltag.records import ImageRef

MOST_KEYS: Final = 10_000
"""A file with more different keys holds data in them; further ones are not looked for."""


@dataclass(frozen=True, slots=True)
class JsonLines(Columned):
    """A text file of JSON objects, whose columns are the keys of any of them."""

    encoding: str

    def rows(self, further: Sequence[str], tally: Tally) -> Iterator[ImageRef]:
        """A row for every object. Raises BundleError where a line is none, or its URL is no text."""
        places = [*self.chosen.places, *self.chosen.places_of(further)]
        url_key, *keys = [None if place == ABSENT else self.columns[place] for place in places]
        for row, record in enumerate(_objects(self.source, self.encoding, tally), 1):
            url = record.get(str(url_key))
            if url is not None and not isinstance(url, str):
                raise BundleError(
                    f"{self.source.label}: row {row}, column {url_key}: wanted a URL as text; came {short(str(url))}"
                )
            identifier, version, ancestry, *more = [None if key is None else _text(record.get(key)) for key in keys]
            yield ImageRef(row, trimmed(url or "") or None, identifier, version, ancestry, tuple(more))


def recognise(sample: Sample) -> JsonLines | None:
    """A text whose first line begins with a brace. Raises BundleError where some line is no object, or has no URL."""
    text, source = sample.text, sample.source
    first = text.first.strip()
    if first == "[" or first.startswith(("[{", '["')):
        raise BundleError(f"{source.label}: wanted JSON lines, an object a line; came a JSON array, {short(first)}")
    if not first.startswith("{"):
        return None
    header = list(_keys(source, text.encoding))

    def values_at(place: int) -> list[str]:
        records = islice(_objects(source, text.encoding, Tally()), PROBED_ROWS)
        return [value for record in records if (value := _text(record.get(header[place])))]

    columns, notes = choose_columns(header, values_at, source.label, sample.url_column)
    return JsonLines(source, columns, (*text.notes, *notes), text.encoding)


FORMAT: Final = BundleFormat("jsonl", recognise)


def _keys(source: Source, encoding: str) -> dict[str, None]:
    keys: dict[str, None] = {}
    for record in _objects(source, encoding, Tally()):
        if len(keys) < MOST_KEYS:
            keys.update(dict.fromkeys(record))
    return keys


def _objects(source: Source, encoding: str, tally: Tally) -> Iterator[dict[str, Any]]:
    with source.lines(encoding) as lines:
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text[0] == "#":
                tally.skipped += 1
                continue
            try:
                record = json.loads(text)
            except (ValueError, RecursionError) as problem:
                reason = getattr(problem, "msg", "nested too deeply")
                raise BundleError(f"{source.label}: line {number} is no JSON: {reason}, in {short(text)}") from problem
            if not isinstance(record, dict):
                raise BundleError(f"{source.label}: line {number}: wanted a JSON object; came {short(text)}")
            yield _without_surrogates(record) if "\\u" in text else record


def _text(value: Any) -> str | None:
    """Numbers and truth values as JSON spells them, what is nested as JSON; an empty text is none."""
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value, ensure_ascii=False)


def _without_surrogates(record: dict[str, Any]) -> dict[str, Any]:
    """The record with U+FFFD in place of lone surrogates, which escapes can spell but no table can hold."""
    text = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    whole: dict[str, Any] = json.loads(text)
    return whole

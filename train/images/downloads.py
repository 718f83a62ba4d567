"""Images of URLs on this machine: fetched as the Spark job fetches, kept, and not asked for twice.

A folder of downloads holds one file per URL, named by the sha256 of the URL, and failures.jsonl for what will not come:
a run that is stopped goes on where it was. What may pass by itself (a timeout, a busy server) is asked again by the
next run.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings
from train.cli import progress
from train.images.files import write_whole

FAILURES: Final = "failures.jsonl"

_OF_SETTINGS: Final = (Outcome.BLOCKED_HOST, Outcome.TOO_LARGE, Outcome.REDIRECT, Outcome.OPTED_OUT)
"""Failures that other settings may mend: not remembered."""

_LEAST_AHEAD: Final = 64
_AHEAD_BYTES: Final = 256_000_000


class DownloadFolder:
    """A folder of what was fetched so far. Raises DataError where it cannot be written."""

    def __init__(self, folder: Path, settings: FetchSettings, *, retry_failed: bool = False) -> None:
        self._folder = folder
        self._settings = settings
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise DataError(f"{folder}: cannot be made ({problem.strerror or problem})") from problem
        self._failures = {} if retry_failed else _read_failures(folder / FAILURES)

    def file(self, url: str) -> Path:
        """Where the image of a URL is, or would be."""
        return self._folder / hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def fetch(self, urls: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Outcome and detail of each URL that failed, now or before; the others are files when this returns."""
        missing = [url for url in dict.fromkeys(urls) if url not in self._failures and not self.file(url).is_file()]
        return self._failures | dict(self._fetch(missing))

    def _fetch(self, urls: Sequence[str]) -> Iterator[tuple[str, tuple[str, str]]]:
        """The URLs that failed, with outcome and detail; the others are files when this ends."""
        if not urls:
            return
        from eoltag.fetch.read_ahead import fetch_ahead  # brings the HTTP client along

        fetching = fetch_ahead(
            urls,
            FetchRequest,
            self._settings,
            rate_share=1,
            max_images=max(_LEAST_AHEAD, self._settings.concurrency),
            max_bytes=_AHEAD_BYTES,
        )
        with (self._folder / FAILURES).open("a", encoding="utf-8") as journal:
            for url, fetched in progress(fetching, len(urls), "image", "downloading"):
                if fetched.data is not None:
                    write_whole(self.file(url), fetched.data)
                    continue
                failure = str(fetched.outcome), fetched.detail or ""
                if fetched.outcome.is_final and fetched.outcome not in _OF_SETTINGS:
                    self._failures[url] = failure
                    journal.write(_line(url, fetched))
                    journal.flush()
                yield url, failure


def _line(url: str, fetched: Fetched) -> str:
    return json.dumps({"url": url, "outcome": str(fetched.outcome), "detail": fetched.detail}) + "\n"


def _read_failures(path: Path) -> dict[str, tuple[str, str]]:
    """What earlier runs recorded; a line that a kill cut is passed over, and its URL asked again."""
    failures: dict[str, tuple[str, str]] = {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for line in lines:
        try:
            failure = json.loads(line)
            failures[failure["url"]] = str(Outcome(failure["outcome"])), failure["detail"] or ""
        except (ValueError, KeyError, TypeError):
            continue
    return failures

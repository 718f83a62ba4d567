"""The candidates' images on this machine, in OUT/downloads: see train.images.downloads."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from train.images.downloads import DownloadFolder
from train.prepare.sources.candidate import Candidate

FOLDER: Final = "downloads"


class Downloads(DownloadFolder):
    """A folder of what was fetched for candidates so far. Raises DataError where it cannot be written."""

    def bring(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The same candidates in the same order, each with its file or with the outcome that says why there is none."""
        failed = self.fetch(candidate.url or "" for candidate in candidates if _is_wanted(candidate))
        return [self._brought(candidate, failed) for candidate in candidates]

    def _brought(self, candidate: Candidate, failed: dict[str, tuple[str, str]]) -> Candidate:
        if not _is_wanted(candidate):
            return candidate
        url = candidate.url or ""
        if url in failed:
            outcome, detail = failed[url]
            return replace(candidate, rejected=outcome, detail=detail)
        return replace(candidate, file=self.file(url))


def _is_wanted(candidate: Candidate) -> bool:
    return candidate.file is None and candidate.url is not None and candidate.rejected is None

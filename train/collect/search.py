"""`collect`: searches images by term into a folder per set and class, each with its source, licence and author."""

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from eoltag.errors import DataError
from eoltag.records import Outcome
from eoltag.settings import FetchSettings
from train.cli import log, progress
from train.collect.journal import Collection
from train.collect.ledger import Ledger, state_folder
from train.collect.providers import PROVIDERS
from train.collect.providers.client import ApiClient
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.licences import licence_code
from train.collect.providers.policy import Policy
from train.collect.search_terms import TermQuota
from train.images.downloads import DownloadFolder
from train.records import ManifestRow

WAVE: Final = 64
"""Images fetched together before they are numbered in the order of the search: the same answers, the same names."""
USUAL_BYTES: Final = 300_000
"""Of an image at the sizes that providers are asked for: room for so much is waited for before a wave is fetched."""


@dataclass(frozen=True, slots=True)
class ImageSearch:
    """A search: the provider, its client, and the filters."""

    provider: Provider
    client: ApiClient
    licences: frozenset[str] | None
    credentials: Mapping[str, str]
    fetch: FetchSettings
    seed: int
    ledger: Ledger


def find_provider(name: str, licences: frozenset[str] | None, environment: Mapping[str, str]) -> Provider:
    """The provider of that name. Raises DataError where it is unknown, or lacks what it needs."""
    if name not in PROVIDERS:
        raise DataError(f"--provider: wanted one of {', '.join(PROVIDERS)}. Received: {name!r}")
    provider = PROVIDERS[name]
    missing = [variable for variable in provider.needs if not environment.get(variable)]
    if missing:
        raise DataError(
            f"{name}: wanted {' and '.join(provider.needs)} in the environment; missing: {', '.join(missing)}"
        )
    if licences is not None and not provider.states_licences:
        raise DataError(f"{name} states no licences: leave out --licenses, or take another provider")
    return provider


def collect(
    quotas: Sequence[TermQuota],
    provider: Provider,
    out: Path,
    *,
    licences: frozenset[str] | None = None,
    seed: int = 0,
    fetch: FetchSettings | None = None,
    base_url: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Collects; returns the report. Images stay also where the search breaks off. Raises DataError."""
    credentials = {name: environment[name] for name in (*provider.needs, *provider.takes) if environment.get(name)}
    policy = provider.policy_for(credentials)
    fetch = _within_policy(fetch or FetchSettings(), policy)
    account = provider.name if policy is provider.policy else f"{provider.name}-registered"
    ledger = Ledger(account, policy.quotas, state_folder(environment))
    collection = Collection(out)
    client = ApiClient(
        provider.name,
        fetch,
        policy.requests_per_s,
        base_url=base_url,
        secrets=credentials.values(),
        take=lambda: ledger.take("requests", 1),
    )
    search = ImageSearch(provider, client, licences, credentials, fetch, seed, ledger)
    total = sum(map(collection.missing, quotas))
    try:
        for _ in progress(_collect(search, quotas, collection), total, "image", "collecting"):
            pass
    except DataError as problem:
        kept = sum(row.is_kept for row in collection.rows)
        raise DataError(f"{problem}; {kept} images are in {out}, the same command goes on from there") from problem
    finally:
        client.close()
        with closing(collection):
            collection.write_manifest()
    return _report(quotas, provider, out, collection)


def _within_policy(fetch: FetchSettings, policy: Policy) -> FetchSettings:
    """The settings with no more images in flight than the provider's policy allows."""
    most = policy.images_in_flight
    return fetch if most is None else fetch.model_copy(update={"concurrency": min(most, fetch.concurrency)})


def _collect(search: ImageSearch, quotas: Sequence[TermQuota], collection: Collection) -> Iterator[ManifestRow]:
    """Every image as it is kept, term by term. Rows that share a term are dealt its images by the seed."""
    terms: dict[str, list[TermQuota]] = {}
    for quota in quotas:
        terms.setdefault(quota.term, []).append(quota)
    for term, rows in terms.items():
        wanted = [quota for quota in rows for _ in range(collection.missing(quota))]
        random.Random(f"{search.seed} {term}").shuffle(wanted)
        if wanted:
            yield from _collect_term(search, term, wanted, collection)


def _collect_term(
    search: ImageSearch, term: str, wanted: list[TermQuota], collection: Collection
) -> Iterator[ManifestRow]:
    found = _new(search, Query(term, search.licences, search.credentials), collection)
    while wanted and (wave := list(islice(found, min(WAVE, len(wanted))))):
        search.ledger.wait("bytes", len(wave) * USUAL_BYTES)
        for row, result in _fetched(wave, search.fetch):
            quota = wanted[-1]
            if isinstance(result, bytes):
                search.ledger.note("bytes", len(result))
                kept = collection.keep(quota, result, row)
            else:
                kept = collection.note(quota, row, *result)
            if kept.is_kept:
                wanted.pop()
                yield kept
    if wanted:
        log(f"{term}: {len(wanted)} images fewer than wanted; {search.provider.name} has no more")


def _new(search: ImageSearch, query: Query, collection: Collection) -> Iterator[ImageHit]:
    """Hits of the provider, without known images, duplicates, and licences that are not wanted."""
    seen: set[str] = set()
    pages: set[str] = set()
    for found in search.provider.search(search.client, query):
        is_allowed = (
            search.licences is None or search.provider.is_filtered or licence_code(found.licence) in search.licences
        )
        if found.url in seen or found.page in pages or not is_allowed or collection.is_settled(found.url, found.page):
            continue
        seen.add(found.url)
        if found.page is not None:
            pages.add(found.page)
        yield found


def _fetched(
    wave: Sequence[ImageHit], settings: FetchSettings
) -> Iterator[tuple[ManifestRow, bytes | tuple[str, str]]]:
    """For each hit its image, or outcome and detail; in the order of the search."""
    with TemporaryDirectory(prefix="eoltag-collect-") as folder:
        downloads = DownloadFolder(Path(folder), settings)
        failures = downloads.fetch(found.url for found in wave)
        for found in wave:
            row = ManifestRow(
                None, "", source_url=found.url, page=found.page, licence=found.licence, author=found.author
            )
            yield row, failures.get(found.url) or downloads.file(found.url).read_bytes()


def _report(quotas: Sequence[TermQuota], provider: Provider, out: Path, collection: Collection) -> dict[str, Any]:
    rows = collection.rows
    kept = [row for row in rows if row.is_kept]
    if not kept:
        terms = ", ".join(sorted({quota.term for quota in quotas}))
        raise DataError(f"{provider.name}: no image for any of {terms}{_reasons(rows)}")
    return {
        "out": str(out),
        "provider": provider.name,
        "images": len(kept),
        "terms": [
            {
                "search_term": quota.term,
                "class": quota.label,
                "set": quota.split,
                "wanted": quota.count,
                "collected": quota.count - collection.missing(quota),
            }
            for quota in quotas
        ],
        "failed": dict(sorted(Counter(row.outcome for row in rows if row.outcome != Outcome.OK).items())),
    }


def _reasons(rows: Sequence[ManifestRow]) -> str:
    counted = Counter(row.outcome for row in rows)
    return f" ({', '.join(f'{count} {outcome}' for outcome, count in sorted(counted.items()))})" if counted else ""

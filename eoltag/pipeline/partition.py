"""The order of the stages inside one Spark task: fetch ahead, decode, batch, score. No pyspark in here.

Fetching runs beside, in its own thread; decoding runs in line with inference, since with one task per core a thread
pool for decoding only adds switching (7.0 ms of CPU an image in line, 8.5 beside).
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from eoltag.errors import ImageError, Undecodable
from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.image.careful import Decode
from eoltag.image.copies import encode_copy
from eoltag.image.decode import decode as decode_in_line
from eoltag.image.features import FEATURES
from eoltag.pipeline.clock import Stage, Stopwatch
from eoltag.pipeline.computing import Computer, Failed, InLine
from eoltag.pipeline.models import Models, Network
from eoltag.pipeline.rows import ImageRow, MeasureRow, PixelsRow, Row
from eoltag.pipeline.scoring import PictureScoring, ScoredImage
from eoltag.records import Decoded, Fetched, Outcome, Pixels, WantedImage
from eoltag.report.top_k import Collector
from eoltag.settings import ReuseSettings, Settings

MOST_BYTES_A_PIXEL: Final = 1.0
"""A file of more is compressed when it is kept: JPEGs of photos take 0.1 to 0.7."""

Found = tuple[WantedImage | None, Row]
"""A row, and the image whose answer it is; None for what belongs to a content and not to an address."""


class KnownContents(Protocol):
    """Contents that every model of the run has scored already, under whatever address."""

    def __contains__(self, content_sha256: object) -> bool: ...


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be found out of each image."""

    models: Models
    settings: Settings
    measures: tuple[str, ...] = ()
    """Image features that some task wants measured; names of image.features.FEATURES."""


@dataclass(slots=True)
class _Seen:
    """Contents that this task has worked on."""

    known: KnownContents
    here: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    """Content -> why it could not be scored."""

    def is_new(self, content: str) -> bool:
        """Whether nobody has scored this content; afterwards somebody has."""
        if content in self.here or content in self.known:
            return False
        self.here.add(content)
        return True


def tag_images(
    wanted: Iterable[WantedImage],
    job: Job,
    *,
    rate_share: float,
    known: KnownContents = frozenset(),
    decode: Decode = decode_in_line,
    computer: Computer | None = None,
    collector: Collector | None = None,
    watch: Stopwatch | None = None,
    is_last_pass: bool = True,
    absences: dict[str, float] | None = None,
) -> Iterator[Found]:
    """Every wanted image with its answer, and the scores and all else that is kept, in no particular order.

    rate_share: this task's part of the global request rate, in (0, 1]. decode, computer: those of image.careful and
    pipeline.computing, where a picture must not end the process. collector: is offered every scored picture for the
    report. watch: takes the time of each stage. is_last_pass, absences: see fetch_ahead.
    """
    settings, watch = job.settings, watch or Stopwatch()
    scoring = PictureScoring(job.models, computer or InLine(job.models), "fetch", watch, collector)
    seen = _Seen(known)
    fetched_images = fetch_ahead(
        wanted,
        lambda item: item.fetch,
        settings.fetch,
        rate_share=rate_share,
        max_images=settings.run.read_ahead_images,
        max_bytes=settings.run.read_ahead_bytes,
        is_last_pass=is_last_pass,
        absences=absences,
    )
    for item, fetched in watch.waiting(fetched_images):
        yield from _answered(item, fetched, job, scoring, seen, decode)
        yield from _unscored(scoring, seen)
    yield from ((None, row) for row in scoring.finish())
    yield from _unscored(scoring, seen)


def _answered(
    item: WantedImage, fetched: Fetched, job: Job, scoring: PictureScoring, seen: _Seen, decode: Decode
) -> Iterator[Found]:
    """The answer for one image, and what it gives to be scored."""
    if fetched.data is None:
        yield item, image_row(item, fetched, None, None)
        return
    content = hashlib.sha256(fetched.data).hexdigest()
    lacking = _lacking(item, content, job, seen)
    networks = job.models.networks_for(lacking)
    try:
        if content in seen.failed:
            raise Undecodable(seen.failed[content])
        with scoring.watch.of(Stage.DECODE):
            decoded = _decode(decode, fetched.data, networks, job, lacking)
            kept = list(_kept(content, fetched.data, decoded, job, lacking, scoring.computer))
    except ImageError as problem:
        yield item, image_row(item, fetched, content, problem)
        return
    answer = image_row(item, fetched, content, decoded)
    yield item, answer
    yield from ((None, row) for row in kept)
    keeps_vector = job.settings.reuse.features
    image = ScoredImage(item.url, content, decoded.width, decoded.height, lacking, keeps_vector, (item, answer))
    for network, pixels in zip(networks, decoded.pixels, strict=True):
        yield from ((None, row) for row in scoring.add(network, image, pixels))


def _unscored(scoring: PictureScoring, seen: _Seen) -> Iterator[Found]:
    """A later answer for each picture that was read, and could not be scored."""
    for image, cause in scoring.failed():
        assert image.answer is not None, "only kept copies have none"
        item, row = image.answer
        seen.failed[image.content_sha256] = cause
        yield item, row._replace(outcome=str(Outcome.UNDECODABLE), detail=cause, asked_at=datetime.now(UTC))


def _lacking(item: WantedImage, content: str, job: Job, seen: _Seen) -> frozenset[str]:
    """The model versions that are to score this content, and the measures that are to be taken of it."""
    if item.known is not None and item.known.content_sha256 == content:
        return frozenset(item.lacking)
    return frozenset((*job.models.sources, *job.measures)) if seen.is_new(content) else frozenset()


def _decode(decode: Decode, data: bytes, networks: Sequence[Network], job: Job, lacking: Collection[str]) -> Decoded:
    """The picture for each network, then one for each measure, then the copy to be kept. Raises ImageError."""
    sides = [FEATURES[name].side_px for name in job.measures if name in lacking]
    copy_side_px = job.settings.reuse.pixels if lacking else 0
    specs = [network.spec for network in networks]
    return decode(data, specs, job.settings.decode.max_pixels, sides, copy_side_px)


def _kept(
    content: str, data: bytes, decoded: Decoded, job: Job, lacking: Collection[str], computer: Computer
) -> Iterator[Row]:
    """What is kept of a picture besides its scores. data: its file. Raises Undecodable where it cannot be measured."""
    for name, picture in zip([name for name in job.measures if name in lacking], decoded.pictures, strict=True):
        try:
            yield MeasureRow(content, name, computer.measure(name, picture))
        except Failed as failed:
            raise Undecodable(str(failed)) from failed
    if decoded.copy is not None:
        image = _copy(data, decoded.copy, decoded, job.settings.reuse)
        yield PixelsRow(content, min(decoded.copy.shape[:2]), image, decoded.width, decoded.height)


def _copy(data: bytes, copy: Pixels, decoded: Decoded, reuse: ReuseSettings) -> bytes:
    """The file of a kept copy: that of the image itself where it is small already, so that nothing of it is lost."""
    is_whole = copy.shape[:2] == (decoded.height, decoded.width)
    if is_whole and len(data) <= MOST_BYTES_A_PIXEL * decoded.width * decoded.height:
        return data
    return encode_copy(copy, reuse.pixels_format, reuse.pixels_quality)


def image_row(item: WantedImage, fetched: Fetched, content: str | None, found: Decoded | ImageError | None) -> ImageRow:
    """The answer as a row. found: what became of the bytes, where there are some."""
    outcome, detail = str(fetched.outcome), fetched.detail
    size: int | None = None if fetched.data is None else len(fetched.data)
    shape: tuple[int | None, int | None, str | None, str | None] = (None, None, None, None)
    etag, last_modified, rendition = fetched.etag, fetched.last_modified, fetched.rendition
    if isinstance(found, ImageError):
        outcome, detail = str(found.outcome), found.detail
    elif isinstance(found, Decoded):
        shape = (found.width, found.height, found.color_mode, found.perceptual_hash)
    elif fetched.is_not_modified and item.known is not None:  # all that was said before holds again
        known = item.known
        content, size = known.content_sha256, known.bytes
        shape = (known.width, known.height, known.color_mode, known.perceptual_hash)
        etag, last_modified = etag or item.fetch.etag, last_modified or item.fetch.last_modified
    return ImageRow(
        outcome, detail, fetched.http_status, fetched.attempts, etag, last_modified, content, size, *shape,
        rendition, datetime.now(UTC),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeptPixels:
    """A kept copy that some models have not scored."""

    content_sha256: str
    image: bytes
    lacking: tuple[str, ...]
    url: str | None
    """An address of it, for the report."""
    source_width: int
    source_height: int


def score_copies(
    copies: Iterable[KeptPixels],
    job: Job,
    *,
    on_broken: Callable[[str], None],
    decode: Decode = decode_in_line,
    computer: Computer | None = None,
    collector: Collector | None = None,
    watch: Stopwatch | None = None,
) -> Iterator[Row]:
    """The scores of kept copies, and the features of bases where these are kept; no server is asked.

    on_broken: is told of the content of a copy that cannot be decoded or scored; it gets no scores. decode, computer:
    see tag_images.
    """
    watch = watch or Stopwatch()
    scoring = PictureScoring(job.models, computer or InLine(job.models), "pixels", watch, collector)
    for copy in copies:
        networks = job.models.networks_for(copy.lacking)
        specs = [network.spec for network in networks]
        try:
            with watch.of(Stage.DECODE):
                decoded = decode(copy.image, specs, job.settings.decode.max_pixels)
        except ImageError:
            on_broken(copy.content_sha256)
            continue
        image = ScoredImage(
            copy.url, copy.content_sha256, copy.source_width, copy.source_height, frozenset(copy.lacking),
            keeps_vector=job.settings.reuse.features,
        )  # fmt: skip
        for network, pixels in zip(networks, decoded.pixels, strict=True):
            yield from scoring.add(network, image, pixels)
    yield from scoring.finish()
    for image, _ in scoring.failed():
        on_broken(image.content_sha256)

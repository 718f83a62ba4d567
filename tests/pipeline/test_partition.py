"""Fetch, decode, batch, score in one process: every image and content once, whatever becomes of it."""

import hashlib
import json
import shutil
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eoltag.image.decode import decode
from eoltag.image.features import FEATURES
from eoltag.model.card import CardInput
from eoltag.model.engines import load_engine
from eoltag.model.package import Package, read_package, unpack
from eoltag.pipeline import models
from eoltag.pipeline.models import Models, ModelSource
from eoltag.pipeline.partition import Job, KeptPixels, KnownContents, score_copies, tag_images
from eoltag.pipeline.rows import ImageRow, MeasureRow, PixelsRow, Row, ScoreRow, VectorRow
from eoltag.pipeline.scoring import score_vectors
from eoltag.records import FetchRequest, KnownContent, ModelSlot, Scores, WantedImage
from eoltag.settings import EngineSettings, FetchSettings, ReuseSettings, Settings
from tests.support.loopback import Loopback
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_based_package, write_tiny_package

SETTINGS = Settings(
    fetch=FetchSettings(allow_private_hosts=True, attempts=2, backoff_base_s=0.0),
    engine=EngineSettings(batch_size=4),
)


@dataclass
class Held:
    """Stands where Spark's broadcast does."""

    value: bytes


@pytest.fixture
def package(small_package: Path) -> Package:
    """A small trained model."""
    return read_package(small_package)


@pytest.fixture
def server(sample_images: Path) -> Iterator[Loopback]:
    """The sample images, and faults."""
    with Loopback(sample_images) as running:
        yield running


@pytest.fixture
def tiny(tmp_path: Path, server: Loopback) -> Package:
    """A model made in a moment, beside six served pictures, none as wide as high."""
    server.root = tmp_path
    for number in range(6):
        save(tmp_path / f"{number}.jpg", number, (400, 300))
    return write_tiny_package(tmp_path / "tiny", "ab", 1)


def files(folder: Path) -> list[Path]:
    """Every picture of the samples."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def source_of(package: Package, *, is_apart: bool = False) -> ModelSource:
    """A package in one piece, or with its base and head apart."""
    if not is_apart:
        return ModelSource("openvino", package.card, whole=Held(package.pack("openvino")))
    base, head = (Held(package.pack("openvino", part=part)) for part in ("base", "head"))
    return ModelSource("openvino", package.card, base=base, head=head)


def job_of(
    *packages: Package, is_apart: bool = False, measures: tuple[str, ...] = (), reuse: ReuseSettings | None = None
) -> Job:
    """What one task wants that has these models; one thread."""
    sources = {package.version: source_of(package, is_apart=is_apart) for package in packages}
    slots = tuple(ModelSlot("kind", package.card.name, package.version) for package in packages)
    settings = SETTINGS if reuse is None else SETTINGS.model_copy(update={"reuse": reuse})
    return Job(Models(sources, slots, settings.engine, threads=1), settings, measures)


def wanted(url: str | None, carried: object = None, **more: object) -> WantedImage:
    """An image that nothing is known of."""
    return replace(WantedImage(FetchRequest(url), carried=(carried,)), **more)


@dataclass(frozen=True)
class Done:
    """What came of some images."""

    answers: list[tuple[WantedImage, ImageRow]]
    rows: list[Row]
    """All others."""

    @property
    def by_carried(self) -> dict[object, ImageRow]:
        """What an image carries -> its answer."""
        return {item.carried[0]: row for item, row in self.answers}

    @property
    def scores(self) -> dict[tuple[str, str], ScoreRow]:
        """(content, model version) -> the one row of scores."""
        found = [row for row in self.rows if isinstance(row, ScoreRow)]
        by_key = {(row.content_sha256, row.model_version): row for row in found}
        assert len(by_key) == len(found), "nothing is scored twice"
        return by_key

    def of(self, kind: type[Row]) -> list[Row]:
        """The rows of one kind."""
        return [row for row in self.rows if isinstance(row, kind)]


def run(job: Job, images: Sequence[WantedImage], known: KnownContents = frozenset()) -> Done:
    """Everything that a Spark task finds out of these images."""
    answers: list[tuple[WantedImage, ImageRow]] = []
    rows: list[Row] = []
    for item, row in tag_images(images, job, rate_share=1.0, known=known):
        assert (item is not None) == isinstance(row, ImageRow)
        if item is not None and isinstance(row, ImageRow):
            answers.append((item, row))
        else:
            rows.append(row)
    return Done(answers, rows)


def alone(package: Package, path: Path) -> Scores:
    """The raw numbers (C,) of one picture, by an engine of its own."""
    packed = unpack(package.pack("openvino"))
    engine = load_engine("openvino", packed, batch_size=1, threads=1, keras_backend="tensorflow")
    pixels = decode(path.read_bytes(), [package.card.spec], 10**8).pixels[0]
    scores: Scores = engine.predict(pixels[np.newaxis])[0]
    return scores


def content_of(path: Path) -> str:
    """The hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_image_gets_the_scores_that_its_own_pixels_get(
    package: Package, server: Loopback, sample_images: Path
) -> None:
    paths = files(sample_images)[:10]
    images = [wanted(server.url(str(path.relative_to(sample_images))), path) for path in paths]
    done = run(job_of(package), images)
    assert set(done.by_carried) == set(paths)
    for path, answer in done.by_carried.items():
        assert isinstance(path, Path)
        score = done.scores[content_of(path), package.version]
        np.testing.assert_allclose(score.scores, alone(package, path), atol=1e-4)
        assert (score.engine, score.precision, score.source) == ("openvino", "f32", "fetch")
        assert (answer.outcome, answer.http_status, answer.attempts) == ("ok", 200, 1)
        assert (answer.content_sha256, answer.bytes) == (content_of(path), path.stat().st_size)
        with Image.open(path) as image:
            assert {answer.width, answer.height} == {*image.size}
    assert (
        len({row.scores.tobytes() for row in done.scores.values()}) == len({content_of(path) for path in paths}) == 10
    )


def test_a_failure_is_one_row_that_says_why_and_scores_nothing(package: Package, server: Loopback) -> None:
    urls = [server.url("/status/404/x.jpg"), "nonsense", None, server.url("/html/x.jpg")]
    done = run(job_of(package), [wanted(url, url) for url in urls])
    said = {url: (row.outcome, row.http_status, row.content_sha256 is None) for url, row in done.by_carried.items()}
    assert said == {
        urls[0]: ("gone", 404, True),
        "nonsense": ("bad_url", None, True),
        None: ("bad_url", None, True),
        urls[3]: ("not_image", 200, done.by_carried[urls[3]].content_sha256 is None),
    }
    assert done.rows == []


def test_tasks_that_share_a_package_share_the_request_and_the_score(
    package: Package, server: Loopback, sample_images: Path
) -> None:
    name = str(files(sample_images)[0].relative_to(sample_images))
    job = job_of(package)
    slots = (ModelSlot("kind", "main", package.version), ModelSlot("other", "second", package.version))
    shared = replace(job, models=replace(job.models, slots=slots))
    done = run(shared, [wanted(server.url(name))])
    assert (len(done.answers), list(done.scores)) == (1, [(content_of(sample_images / name), package.version)])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        CardInput(height=24, width=24),
        CardInput(height=16, width=16, fit="crop"),
        CardInput(height=16, width=16, fit="pad"),
    ],
    ids=["size", "crop", "pad"],
)
def test_each_model_of_a_run_sees_the_pixels_that_its_own_card_asks_for(
    tmp_path: Path, server: Loopback, other: CardInput
) -> None:
    server.root = tmp_path
    for number in range(6):  # none as wide as high, so that each way to fit it shows something else
        save(tmp_path / f"{number}.jpg", number, (120, 40))
    cards = {"main": CardInput(height=16, width=16), "second": other}
    packages = [write_tiny_package(tmp_path / name, "ab", 1, size) for name, size in cards.items()]
    scores = run(job_of(*packages), [wanted(server.url(f"{number}.jpg")) for number in range(6)]).scores
    assert len(scores) == 12
    for one in packages:
        for number in range(6):
            path = tmp_path / f"{number}.jpg"
            np.testing.assert_allclose(scores[content_of(path), one.version].scores, alone(one, path), atol=1e-4)


def test_the_same_bytes_are_scored_once_under_however_many_addresses(
    tiny: Package, server: Loopback, tmp_path: Path
) -> None:
    urls = [server.url(f"{number % 2}.jpg") + f"?{number}" for number in range(7)]
    done = run(job_of(tiny), [wanted(url, url) for url in urls])
    both = {content_of(tmp_path / f"{number}.jpg") for number in (0, 1)}
    assert set(done.by_carried) == set(urls)
    assert {row.content_sha256 for _, row in done.answers} == both
    assert {content for content, _ in done.scores} == both


def test_what_earlier_runs_have_scored_is_not_scored_again(tiny: Package, server: Loopback, tmp_path: Path) -> None:
    known = {content_of(tmp_path / f"{number}.jpg") for number in (0, 1, 2)}
    images = [wanted(server.url(f"{number}.jpg")) for number in range(4)]
    done = run(job_of(tiny, measures=("mnorm_pp",)), images, known)
    assert len(done.answers) == 4
    assert {content for content, _ in done.scores} == {content_of(tmp_path / "3.jpg")}
    assert len(done.of(MeasureRow)) == 1


def described(path: Path) -> KnownContent:
    """What an earlier answer said of a file."""
    return KnownContent(content_of(path), path.stat().st_size, 400, 300, "RGB", "0f" * 8)


def test_a_server_that_still_has_it_repeats_what_was_known_and_nothing_is_scored(
    tiny: Package, server: Loopback, tmp_path: Path
) -> None:
    url, known = server.url("/versioned/v1/1000/0.jpg"), described(tmp_path / "0.jpg")
    asked = WantedImage(FetchRequest(url, etag='"v1"'), known, (), ("x",))
    done = run(job_of(tiny), [asked])
    ((_, row),) = done.answers
    assert (row.outcome, row.http_status, row.etag) == ("ok", 304, '"v1"')
    said = (row.content_sha256, row.bytes, row.width, row.height, row.color_mode, row.perceptual_hash)
    assert said == (known.content_sha256, known.bytes, 400, 300, "RGB", "0f" * 8)
    assert done.rows == []


def test_bytes_that_are_as_they_were_get_only_what_they_lack_and_others_get_everything(
    tiny: Package, server: Loopback, tmp_path: Path
) -> None:
    second = write_tiny_package(tmp_path / "second", "cd", 2)
    images = [
        wanted(server.url("0.jpg"), known=described(tmp_path / "0.jpg"), lacking=(second.version,)),
        wanted(server.url("1.jpg"), known=described(tmp_path / "5.jpg"), lacking=(second.version,)),
        wanted(server.url("2.jpg"), known=described(tmp_path / "2.jpg"), lacking=("mnorm_pp",)),
    ]
    done = run(job_of(tiny, second, measures=("mnorm_pp",)), images)
    first, other, third = (content_of(tmp_path / f"{number}.jpg") for number in range(3))
    assert set(done.scores) == {(first, second.version), (other, tiny.version), (other, second.version)}
    assert {row.content_sha256 for row in done.of(MeasureRow) if isinstance(row, MeasureRow)} == {other, third}


def test_a_measure_is_what_the_feature_says_of_the_picture(tiny: Package, server: Loopback, tmp_path: Path) -> None:
    done = run(job_of(tiny, measures=("mnorm_pp",)), [wanted(server.url("0.jpg"))])
    path, feature = tmp_path / "0.jpg", FEATURES["mnorm_pp"]
    (picture,) = decode(path.read_bytes(), [], 10**8, [feature.side_px]).pictures
    assert done.of(MeasureRow) == [MeasureRow(content_of(path), "mnorm_pp", feature.measure(picture))]


@pytest.mark.parametrize(("form", "first_bytes"), [("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF")])
def test_a_copy_is_kept_with_the_shorter_side_asked_for_and_scored_alike(
    tiny: Package, server: Loopback, tmp_path: Path, form: str, first_bytes: bytes
) -> None:
    save(tmp_path / "small.jpg", 7, (50, 40))
    reuse = ReuseSettings.model_validate({"pixels": 64, "pixels_format": form})
    names = [*(f"{number}.jpg" for number in range(6)), "small.jpg"]
    job = job_of(tiny, reuse=reuse)
    done = run(job, [wanted(server.url(name)) for name in names])
    kept = {row.content_sha256: row for row in done.of(PixelsRow) if isinstance(row, PixelsRow)}
    assert set(kept) == {content_of(tmp_path / name) for name in names}
    for name in names:
        row = kept[content_of(tmp_path / name)]
        size, source = ((50, 40), (50, 40)) if name == "small.jpg" else ((85, 64), (400, 300))
        assert (row.side_px, row.source_width, row.source_height) == (size[1], *source)
        assert row.image.startswith(b"\xff\xd8\xff" if name == "small.jpg" else first_bytes)
        with Image.open(BytesIO(row.image)) as image:
            assert image.size == size
    assert kept[content_of(tmp_path / "small.jpg")].image == (tmp_path / "small.jpg").read_bytes(), "kept as it is"
    copies = [
        KeptPixels(row.content_sha256, row.image, (tiny.version,), None, row.source_width, row.source_height)
        for row in kept.values()
    ]
    again = Done([], list(score_copies(copies, job, on_broken=pytest.fail)))
    assert set(again.scores) == set(done.scores)
    for key, score in again.scores.items():
        assert score.source == "pixels"
        np.testing.assert_allclose(score.scores, done.scores[key].scores, atol=0.03)
    spread = np.ptp([score.scores for score in done.scores.values()], axis=0)
    assert spread.min() > 0.25, "the pictures differ by more than a copy from its picture"


def test_nothing_is_kept_of_what_lacks_nothing(tiny: Package, server: Loopback, tmp_path: Path) -> None:
    job = job_of(tiny, reuse=ReuseSettings(pixels=64))
    done = run(job, [wanted(server.url("0.jpg"))], {content_of(tmp_path / "0.jpg")})
    assert (len(done.answers), done.rows) == (1, [])


def test_a_broken_copy_is_told_and_the_others_are_scored(tiny: Package, tmp_path: Path) -> None:
    def copy(number: int, image: bytes) -> KeptPixels:
        return KeptPixels(f"{number:064x}", image, (tiny.version,), None, 400, 300)

    whole = (tmp_path / "0.jpg").read_bytes()
    copies = [copy(1, whole), copy(2, b"no picture"), copy(3, (tmp_path / "1.jpg").read_bytes()), copy(4, whole[:200])]
    told: list[str] = []
    rows = Done([], list(score_copies(copies, job_of(tiny), on_broken=told.append))).scores
    assert [content[-1] for content in told] == ["2", "4"]
    assert {content[-1] for content, _ in rows} == {"1", "3"}


@pytest.mark.usefixtures("tiny")
def test_two_heads_on_one_base_score_as_the_two_wholes_in_one_pass(server: Loopback, tmp_path: Path) -> None:
    packages = [write_tiny_based_package(tmp_path / name, name, seed) for seed, name in enumerate(("abc", "de"))]
    images = [wanted(server.url(f"{number}.jpg")) for number in range(6)]
    wholes = run(job_of(*packages), images).scores
    shared = job_of(*packages, is_apart=True, reuse=ReuseSettings(features=True))
    assert [network.versions for network in shared.models.networks] == [tuple(one.version for one in packages)]
    done = run(shared, images)
    assert set(done.scores) == set(wholes)
    assert len(wholes) == 12
    for key, score in done.scores.items():
        np.testing.assert_allclose(score.scores, wholes[key].scores, atol=1e-4)
    vectors = [row for row in done.of(VectorRow) if isinstance(row, VectorRow)]
    assert {row.content_sha256 for row in vectors} == {content for content, _ in wholes}
    assert {row.base_version for row in vectors} == {packages[0].card.base_version}
    stored = np.stack([np.frombuffer(row.vector, "<f2") for row in vectors])
    second = packages[1].version
    lacking: list[tuple[str, ...]] = [(second,)] * 6
    lacking[1] = ()
    (block,) = score_vectors(shared.models, stored, lacking)
    assert (block.model_version, block.source, block.places.tolist()) == (second, "features", [0, 2, 3, 4, 5])
    for place, scores in zip(block.places, block.scores, strict=True):
        wanted_scores = wholes[vectors[place].content_sha256, second].scores
        np.testing.assert_allclose(scores, wanted_scores, atol=0.02)


def packages_like(package: Package, folder: Path, count: int) -> list[Package]:
    """Packages of the same network, each at a temperature, and so of a version, of its own."""
    found = []
    for number in range(count):
        copy = folder / str(number)
        shutil.copytree(package.path, copy)
        card = json.loads((copy / "card.json").read_text())
        (copy / "card.json").write_text(json.dumps({**card, "temperature": 1.0 + number}))
        found.append(read_package(copy))
    return found


def test_the_models_used_last_stay_loaded_and_the_others_leave_the_memory(
    package: Package, server: Loopback, sample_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MOST_LOADED", 2)
    monkeypatch.setattr(models, "_LOADED", {})
    url = server.url(str(files(sample_images)[0].relative_to(sample_images)))
    several = packages_like(package, tmp_path, 4)
    seen = []
    for one in several:
        done = run(job_of(one), [wanted(url)])
        assert [version for _, version in done.scores] == [one.version]
        seen += [weakref.ref(engine) for engine in models._LOADED.values()]
    assert [key[1] for key in models._LOADED] == [one.version for one in several[2:]]
    assert {reference() for reference in seen} == {None, *models._LOADED.values()}


def test_one_run_keeps_all_of_its_own_models_loaded(
    package: Package, server: Loopback, sample_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MOST_LOADED", 2)
    monkeypatch.setattr(models, "_LOADED", {})
    url = server.url(str(files(sample_images)[0].relative_to(sample_images)))
    several = packages_like(package, tmp_path, 3)
    versions = {one.version for one in several}
    assert {version for _, version in run(job_of(*several), [wanted(url)]).scores} == versions
    assert {key[1] for key in models._LOADED} == versions


def test_importing_the_pipeline_loads_no_tensorflow() -> None:
    imports = "import sys, eoltag.pipeline.partition, eoltag.model.engines.openvino"
    code = imports + "; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

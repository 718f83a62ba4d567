"""The parts of `prepare` on their own: exact sizes, groups, splits, weights, the draw."""

import json
from collections import Counter, defaultdict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eoltag.image.decode import decode
from tests.support.pictures import encoded, picture, save
from train.__main__ import main
from train.data.class_weights import class_weights
from train.data.splitting import parse_shares, split_groups
from train.images.manifest import FILE_NAME, read_manifest
from train.prepare.examine import Finish, examine
from train.similar.groups import groups_of

SHARES = (0.8, 0.1, 0.1)


def test_every_square_from_50_to_300_pixels_gives_exactly_the_size(tmp_path: Path) -> None:
    for side in range(50, 301):
        file = tmp_path / "in.jpg"
        Image.new("RGB", (side, side), (10, 200, 30)).save(file)
        for size in (64, 256):
            finding = examine(file, tmp_path / "out", Finish((size, size)))
            assert finding.made is not None
            with Image.open(finding.made) as image:
                assert image.size == (size, size), side


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(50, 300),
    height=st.integers(50, 300),
    size=st.tuples(st.integers(20, 320), st.integers(20, 320)),
    fit=st.sampled_from(["crop", "stretch"]),
)
def test_any_shape_gives_exactly_the_size(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, size: tuple[int, int], fit: str
) -> None:
    folder = tmp_path_factory.mktemp("sizes")
    (folder / "in.png").write_bytes(encoded(picture(1, (width, height)), "PNG"))
    finding = examine(folder / "in.png", folder / "out", Finish(size, fit, "png"))  # type: ignore[arg-type]
    assert (finding.width, finding.height) == (width, height)
    assert finding.made is not None
    with Image.open(finding.made) as image:
        assert image.size == size
        assert np.asarray(image).std() > 5


def test_a_crop_is_the_middle_and_a_stretch_is_all(tmp_path: Path) -> None:
    bands = np.zeros((100, 300, 3), np.uint8)
    bands[:, :100, 0] = bands[:, 100:200, 1] = bands[:, 200:, 2] = 255
    (tmp_path / "in.png").write_bytes(encoded(Image.fromarray(bands), "PNG"))
    means = {}
    for fit in ("crop", "stretch"):
        made = examine(tmp_path / "in.png", tmp_path / fit, Finish((50, 50), fit, "png")).made
        assert made is not None
        means[fit] = np.asarray(Image.open(made)).reshape(-1, 3).mean(0).round().tolist()
    assert means["crop"] == pytest.approx([0, 255, 0], abs=8)
    assert means["stretch"] == pytest.approx([85, 85, 85], abs=2)


def test_shrinking_does_not_alias(tmp_path: Path) -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    (tmp_path / "in.png").write_bytes(encoded(Image.fromarray(stripes), "PNG"))
    made = examine(tmp_path / "in.png", tmp_path / "out", Finish((50, 50), suffix="png")).made
    assert made is not None
    assert np.asarray(Image.open(made))[5:-5, 5:-5].std() < 3, "an even grey, no stripes"


def test_images_are_linked_by_content_page_and_likeness_but_not_by_what_is_missing(tmp_path: Path) -> None:
    one, two, three = [examine(save(tmp_path / f"{n}.jpg", n), tmp_path, Finish()).fingerprint for n in (1, 2, 3)]
    keys = [("a", None), ("b", None), ("c", "page"), ("d", "page"), ("e", None), ("a", None)]
    assert groups_of([one, one, two, None, None, three], keys) == [
        0,
        0,
        2,
        2,
        4,
        0,
    ]
    assert groups_of([one, two, three, None, None, None], keys) == [0, 1, 2, 2, 4, 0]


@settings(deadline=None)
@given(
    images=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 25)), min_size=1, max_size=200),
    seed=st.integers(0, 100),
)
def test_no_group_is_in_two_splits(images: list[tuple[str, int]], seed: int) -> None:
    labels, groups = [label for label, _ in images], [group for _, group in images]
    strata = [(label,) for label in labels]
    splits = split_groups(strata, groups, SHARES, seed)
    seen: defaultdict[int, set[str]] = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        seen[group].add(split)
    assert all(len(found) == 1 for found in seen.values())
    assert splits == split_groups(strata, groups, SHARES, seed)


@settings(deadline=None)
@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_images_without_company_are_split_to_the_image(counts: list[int], seed: int) -> None:
    labels = [f"class {place}" for place, count in enumerate(counts) for _ in range(count)]
    splits = split_groups([(label,) for label in labels], range(len(labels)), SHARES, seed)
    found = Counter(zip(labels, splits, strict=True))
    for place, count in enumerate(counts):
        for split, share in zip(("train", "val", "test"), SHARES, strict=True):
            assert abs(found[f"class {place}", split] - share * count) < 1.7
            assert count < 3 or found[f"class {place}", split] >= 1


def test_another_seed_splits_otherwise() -> None:
    one, two = (split_groups([("a",)] * 40, range(40), SHARES, seed) for seed in (1, 2))
    assert one != two
    assert Counter(one) == Counter(two) == {"train": 32, "val": 4, "test": 4}


def test_shares_are_two_or_three_numbers() -> None:
    assert parse_shares("0.8,0.1,0.1") == (0.8, 0.1, 0.1)
    assert parse_shares("0.75, 0.25") == (0.75, 0.25)


def test_weights_are_those_of_scikit_learn() -> None:
    assert class_weights({"cars": 735, "tanks": 568}) == pytest.approx({"cars": 0.886, "tanks": 1.147}, abs=0.001)
    assert class_weights({"a": 3, "b": 0}) == {"a": 1.0}


def test_copies_in_other_sizes_turned_and_mirrored_stay_together_through_the_whole_verb(tmp_path: Path) -> None:
    for number in range(20):
        save(tmp_path / "source" / "a" / f"{number}.jpg", number, (200, 150))
        save(tmp_path / "source" / "b" / f"{number}.jpg", 100 + number, (200, 150))
    for number in range(10):
        with Image.open(tmp_path / "source" / "a" / f"{number}.jpg") as image:
            small = image.resize((120, 90), Image.Resampling.BICUBIC)
            turned = small if number < 5 else small.transpose(Image.Transpose(number - 5))
            (tmp_path / "source" / "a" / f"{number}_small.jpg").write_bytes(encoded(turned, quality=60))
    out = tmp_path / "set"
    assert main(["prepare", "folder", str(tmp_path / "source"), "--out", str(out), "--split", "0.6,0.2,0.2"]) == 0
    splits = {str(row.source_path): row.split for row in read_manifest(out / FILE_NAME)}
    assert [splits[f"a/{number}_small.jpg"] for number in range(10)] == [splits[f"a/{n}.jpg"] for n in range(10)]
    assert Counter(split for path, split in splits.items() if path.startswith("a")) == {
        "train": 18,
        "val": 6,
        "test": 6,
    }
    assert json.loads((out / "report.json").read_text())["grouped"] == 20


def test_the_hash_of_the_manifest_is_that_of_the_job(tmp_path: Path) -> None:
    file = save(tmp_path / "a.jpg", 5)
    finding = examine(file, tmp_path / "out", Finish())
    assert finding.perceptual_hash == decode(file.read_bytes(), [], 10**6).perceptual_hash
    assert Image.open(BytesIO(file.read_bytes())).size == (finding.width, finding.height)

"""Audits of tasks that give an image several tags: what is drawn, what a tag's figures are, and that they cover."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eoltag.audit.certificate import Judged, certificate, judged_images
from eoltag.audit.draw import draw, draw_images, rates_of, strata_of, stratum_of
from eoltag.audit.intervals import clopper_pearson
from eoltag.audit.sample import Claim, Drawn, Sample, draw_sample, read_samples
from eoltag.commands.people import audit as audit_command
from eoltag.commands.people import judgements
from eoltag.errors import DataError
from eoltag.judgements.record import Judgement, agreed, read
from eoltag.publish.manifest import Current, Manifest, PublishedTask
from eoltag.report.certificate import certificate_page, certificate_text

DRAWS = 150
ROWS = 1_500
IMAGES = 200
NAMES = np.array(["flower", "fruit", "bud"])
Tags = list[tuple[str, ...]]


def named(shown: np.ndarray) -> Tags:
    return [tuple(map(str, NAMES[row])) or ("none",) for row in shown]


def population(seed: int) -> tuple[Tags, Tags]:
    """What images show, and their tags: a bud is rare, mostly beside a flower, and makes the tag `flower` err."""
    chance = np.random.default_rng(seed)
    flower = chance.random(ROWS) < 0.5
    fruit = np.where(flower, chance.random(ROWS) < 0.2, chance.random(ROWS) < 0.03)
    bud = flower & (chance.random(ROWS) < 0.1)
    tagged = np.stack([flower, fruit, bud], 1)
    error = np.where(bud[:, None], [0.8, 0.05, 0.2], [0.03, 0.05, 0.02])
    return named(np.where(chance.random(tagged.shape) < error, ~tagged, tagged)), named(tagged)


def audit(shown: Tags, tags: Tags, rows: dict[str, int], seed: int) -> tuple[Sample, list[Judged]]:
    drawn, wanted = draw_images(tags, rows, IMAGES, seed)
    rates = rates_of(rows, wanted)
    images = []
    for place, counted in drawn.items():
        claims = tuple(Claim(tag, None, 0.5, tag in counted) for tag in tags[place])
        stratum = stratum_of(tags[place], rates)
        images.append(Drawn("u", str(place), "|".join(tags[place]), 0.5, "b", place, None, None, None, claims, stratum))
    sample = Sample("A", "kind", "V", {}, 0, "", rows, "none", images, [], True, strata_of(tags, wanted))
    return sample, [Judged(one, frozenset(shown[one.bundle_row])) for one in images]


def share(of: Tags, tag: str, among: Sequence[int] = range(ROWS)) -> float:
    return float(np.mean([tag in of[place] for place in among]))


def test_intervals_of_each_tag_cover_in_94_of_100_draws_however_tags_go_together() -> None:
    shown, tags = population(seed=3)
    rows = {str(tag): sum(tag in each for each in tags) for tag in NAMES}
    rows["none"] = tags.count(("none",))
    true = {tag: share(shown, tag, [at for at in range(ROWS) if tag in tags[at]]) for tag in map(str, NAMES)}
    covered = dict.fromkeys([(tag, what) for tag in true for what in ("precision", "share", "pooled")], 0)
    for seed in range(DRAWS):
        sample, judged = audit(shown, tags, rows, seed)
        assert IMAGES - 5 <= len(sample.images) <= IMAGES
        found = certificate(sample, judged, {})["tags"]
        for tag, precision in true.items():
            low, high = found[tag]["interval"]
            covered[tag, "precision"] += low <= precision <= high
            low, high = found[tag]["share_interval"]
            covered[tag, "share"] += low <= share(shown, tag) <= high
            mine = [tag in one.said for one in judged if tag in one.image.tags]
            low, high = clopper_pearson(sum(mine), len(mine))
            covered[tag, "pooled"] += low <= precision <= high
    for tag in true:
        assert covered[tag, "precision"] >= 0.94 * DRAWS, covered
        assert covered[tag, "share"] >= 0.94 * DRAWS, covered
    assert covered["flower", "pooled"] < 0.9 * DRAWS, "images that came in for a rarer tag are no random draw"


def test_the_first_of_each_tag_in_one_random_order_are_drawn() -> None:
    tags = [("a", "b")] * 50 + [("a",)] * 400 + [("c",)] * 50
    drawn = draw(tags, {"a": 100, "b": 30, "c": 50}, 1)
    for tag, number in {"a": 100, "b": 30, "c": 50}.items():
        assert sum(tag in counted for counted in drawn.values()) == number
    beside = [place for place, counted in drawn.items() if counted == ["b"]]
    assert beside, "some came in for b alone, after a had its hundred"
    assert all(tags[place] == ("a", "b") for place in beside)
    assert list(drawn) != sorted(drawn)
    rows, wanted = {"a": 450, "b": 50, "c": 50}, {"a": 100, "b": 30, "c": 50}
    assert strata_of(tags, wanted) == {"a": {"a": 400}, "b": {"a": 50, "b": 50}, "c": {"c": 50}}
    assert stratum_of(("a", "b"), rates_of(rows, wanted)) == "b"


CLAIMS = (Claim("flower", "f", 0.9), Claim("fruit", "g", 0.7))


def image(number: int, claims: tuple[Claim, ...], stratum: str) -> Drawn:
    tag = "|".join(claim.tag for claim in claims)
    url = f"https://eol.org/{number}.jpg"
    return Drawn(url, f"c{number}", tag, 0.9, "list", number, "Life|Rosaceae", "RGB", "f|g", claims, stratum)


def test_precision_share_and_slices_are_those_of_single_tags() -> None:
    images = [image(n, CLAIMS, "fruit") for n in range(10)] + [image(n, CLAIMS[:1], "flower") for n in range(10, 20)]
    images += [image(20, (CLAIMS[0], Claim("fruit", "g", 0.7, is_counted=False)), "fruit")]
    images += [image(n, (Claim("none", None, 0.2),), "none") for n in range(21, 25)]
    rows = {"flower": 500, "fruit": 100, "none": 500}
    strata = {"flower": {"flower": 400}, "fruit": {"flower": 100, "fruit": 100}, "none": {"none": 500}}
    sample = Sample("A", "kind", "V", {}, 0, "2026-01-01", rows, "none", images, [], True, strata)
    assert sample.all_rows == 1000
    said = [(n, "fruit|flower" if n < 8 else "flower") for n in range(20)]
    said += [(20, "fruit"), (21, "none"), (22, "none"), (23, "flower"), (24, "none")]
    of = {f"c{number}": text for number, text in said}
    hers = [
        Judgement("Anna", "kind", one.url, one.content_sha256, one.tag, of[one.content_sha256], "audit A", {}, "1",
                  choices=["flower", "fruit"])
        for one in images
    ]  # fmt: skip
    ben = Judgement("Ben", "kind", "", "c0", "flower|fruit", "flower", "audit A", {}, "2", choices=["flower", "fruit"])
    judged = judged_images(sample, agreed([*hers, ben]))
    assert len(judged) == 25, "Ben denies the fruit of the first image; its flower is agreed on"
    found = certificate(sample, judged, {"fruit": {"max_error": 0.05}})
    flower, fruit, none = (found["tags"][tag] for tag in ("flower", "fruit", "none"))
    assert (flower["rows"], flower["images"], flower["right"]) == (500, 21, 20)
    assert (fruit["rows"], fruit["images"], fruit["right"]) == (100, 9, 7), (
        "one is disputed, one came in for another tag"
    )
    assert (none["images"], none["precision"], flower["published_share"]) == (0, None, 0.5)
    assert flower["share"] == pytest.approx((400 * 1 + 100 * 10 / 11 + 500 / 4) / 1000)
    assert fruit["share"] == pytest.approx(100 * 8 / 10 / 1000)
    assert (found["judged"], found["right"]) == (30, 27)
    assert fruit["promise"]["is_held"] is True
    assert [(one["tag"], one["name"], one["images"], one["right"]) for one in found["slices"]["rule"]] == [
        ("flower", "f", 21, 20), ("fruit", "g", 9, 7),
    ]  # fmt: skip
    assert "flower|fruit" not in certificate_text(found)
    page = certificate_page(found)
    assert '<th scope="row">fruit</th><td>Rosaceae</td><td class="n">9</td>' in page


def published(folder: Path, **columns: object) -> Path:
    """A publication of 60 images with a flower, every third with a fruit too, and 30 with none."""
    tags = ["flower|fruit" if n % 3 == 0 else "flower" for n in range(60)] + ["none"] * 30
    urls = [f"https://eol.org/{number}.jpg" for number in range(90)]
    task = PublishedTask(90, {}, {"main": "aaaaaaaaaaaa"}, {"missing": "none", "multiple": True}, {}, ["list"], "", "")
    tables = {
        "published/V1/tags/task=kind": {
            "bundle": ["list"] * 90, "bundle_row": list(range(90)), "eolMediaURL": urls, "ancestry": ["Life"] * 90,
            "tag": tags, "confidence": [0.9] * 90, "outcome": ["ok"] * 90,
            "rule": ["f|g", "person", *[{"flower": "f", "flower|fruit": "f|g"}.get(tag) for tag in tags[2:]]],
            **columns,
        },
        "images": {
            "eolMediaURL": urls, "content_sha256": [f"c{n}" for n in range(90)], "color_mode": ["RGB"] * 90,
            "outcome": ["ok"] * 90, "asked_at": list(range(90)),
        },
    }  # fmt: skip
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(pa.table(table), folder / name / "part-0.parquet")
    (folder / "published/current.json").write_text(Current("V1", "").as_json())
    manifest = Manifest("V1", "", "", "", "", "", "", "", {"kind": task})
    (folder / "published/V1/manifest.json").write_text(manifest.as_json())
    return folder


def test_a_sample_knows_each_tag_with_its_rule_and_confidence(tmp_path: Path) -> None:
    sure = [[0.9, 0.6] if n % 3 == 0 else [0.8] for n in range(60)] + [[] for _ in range(30)]
    output = published(tmp_path, confidences=sure)
    sample = draw_sample(output, "kind", 90, 0)
    assert read_samples(output) == [sample]
    assert sample.rows == {"flower": 60, "fruit": 20, "none": 30}
    assert sample.all_rows == 90
    claims = {one.bundle_row: one.claims for one in sample.images}
    assert claims[0] == (Claim("flower", "f", 0.9), Claim("fruit", "g", 0.6))
    assert claims[1] == (Claim("flower", "person", 0.8),)
    assert claims[70] == (Claim("none", None, 0.9),)


def test_an_audit_goes_out_with_the_tags_to_look_for_and_comes_back(tmp_path: Path) -> None:
    output = published(tmp_path, confidences=[[0.9] * (2 if n % 3 == 0 else 1) if n < 60 else [] for n in range(90)])
    (output / "decided").mkdir()
    content = {"multiple": True, "missing": "none", "rules": [{"name": "b", "tag": "bud"}]}
    (output / "decided/kind.json").write_text(json.dumps({"task": {"content": content}}))
    sample, file = draw_sample(output, "kind", 200, 0), tmp_path / "audit.csv"
    assert judgements.main([str(output), "--audit", sample.id, "--csv-out", str(file)]) == 0
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["choices"] for row in rows} == {"bud|flower|fruit"}
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(
            {**row, "said_tag": " fruit | flower" if "fruit" in row["shown_tag"] else "none"} for row in rows
        )
    assert judgements.main([str(output), "--csv-in", str(file), "--person", "Anna"]) == 0
    assert {one.said_tag for one in read(output)} == {"fruit|flower", "none"}
    assert audit_command.main([str(output), "--task", "kind"]) == 0
    found = json.loads((output / "certificates/kind.json").read_text())["tags"]
    assert {tag: (one["images"], one["right"]) for tag, one in found.items()} == {
        "flower": (60, 20), "fruit": (20, 20), "none": (0, 0),
    }  # fmt: skip
    assert (found["none"]["share"], found["fruit"]["share"]) == (pytest.approx(70 / 90), pytest.approx(20 / 90))


def test_a_publication_from_before_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="wanted the column confidences; decide and publish the task again"):
        draw_sample(published(tmp_path), "kind", 10, 0)

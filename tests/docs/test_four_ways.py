"""Four people walk through from a fresh clone: every command of docs/tutorials/four-ways.md, as it stands there."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_server import ApiServer
from tests.support.clone import Clone, commands, fresh_clone
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.pictures import save
from tests.support.readme import blocks, page, section
from tests.support.serving import BOUNDARY, form
from tests.train.prepare.test_ratings import EXEMPLAR_COLUMNS, RATING_COLUMNS, write_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """All files but what was made; they are the same afterwards."""
    with fresh_clone(tmp_path / "clone") as made:
        yield made


def way(title: str) -> list[str]:
    """The commands of one person."""
    return commands(section(title, page("tutorials/four-ways.md")))


def bundle(server: Loopback, names: list[str], header: str = "") -> str:
    """A list of URLs, or a breakdown as EOL writes it."""
    urls = [server.url(f"/files/{name}") for name in names]
    if not header:
        return "".join(f"{url}\n" for url in urls)
    rows = [f"EOL-media-{n}\t{n}\t{url}\tAnimalia|Aves" for n, url in enumerate(urls)]
    return "\n".join([header, *rows]) + "\n"


def test_somebody_looks_after_eols_image_lists(clone: Clone, tmp_path: Path) -> None:
    for number in range(24):
        save(tmp_path / "web" / f"{number}.jpg", number)
    with Loopback(tmp_path / "web") as server:
        rows = [
            {"overall_rating": "15"[n % 2], "obj_url": server.url(f"/files/{n}.jpg"), "obj_guid": str(n)}
            for n in range(24)
        ]
        write_table(tmp_path / "ratings.txt", RATING_COLUMNS, rows)
        write_table(tmp_path / "exemplars.txt", EXEMPLAR_COLUMNS, [{"object_url": server.url("/files/1.jpg")}])
        tables = ["--ratings", str(tmp_path / "ratings.txt"), "--exemplars", str(tmp_path / "exemplars.txt")]
        header = "identifier\tdataObjectVersionID\teolMediaURL\tancestry"
        text = bundle(server, [f"{n}.jpg" for n in range(6)], header)
        (clone.folder / "mine/images_for_Aves_breakdown_000001.txt").write_text(text)
        clone.added = {
            "prepare": [*tables, "--allow-private-hosts"],
            "fit": clone.with_base(ROOT / "conf/train/rating_18.toml"),
            "jobs/tag_bundles.py": ["--allow-private-hosts"],
        }
        clone.walk(way("You look after EOL's image lists"))
    lines = (clone.folder / "mine/output/tsv/rating/images_for_Aves_breakdown_000001_finaltags.tsv").read_text()
    columns = "eolMediaURL identifier dataObjectVersionID ancestry imclass confidence"
    assert lines.splitlines()[0].split("\t") == columns.split()
    assert len(lines.splitlines()) == 7
    assert (clone.folder / "mine/output/report/index.html").is_file()


def test_somebody_has_300_photos_and_knows_statistics(clone: Clone) -> None:
    title = "You have 300 photos and know your statistics"
    for at, label in enumerate(("flower", "fruit", "neither")):
        for number in range(15):
            save(clone.folder / "mine/photos" / label / f"{number}.jpg", 100 * at + number)
    save(clone.folder / "mine/new_photos/a.jpg", 999)
    (config,) = blocks("toml", section(title, page("tutorials/four-ways.md")))
    (clone.folder / "mine/train.toml").write_text(config)
    clone.added["fit"] = clone.with_base(clone.folder / "mine/train.toml")
    said = clone.walk(way(title))
    report = json.loads((clone.folder / "mine/report/evaluation.json").read_text())
    assert (report["images"]["evaluated"], report["images"]["in_training"]) == (9, 0)
    assert "no threshold" in said[4]
    assert " more" in said[4]
    assert "a.jpg" in said[5]
    assert (clone.folder / "mine/served/1/saved_model.pb").is_file()


def test_somebody_runs_spark_clusters(clone: Clone) -> None:
    given = way("You run Spark clusters")
    clone.added = {"sample-data": ["--max-side", "64"], "fit": ["--set", "epochs=2", "--set", "image_size_px=32"]}
    clone.walk(given[:2])
    pictures = clone.folder / "build/pictures"
    with Loopback(pictures) as server:
        names = [path.relative_to(pictures).as_posix() for path in sorted(pictures.rglob("*_0001.*"))]
        (clone.folder / "mine/list.txt").write_text(bundle(server, names))
        clone.added["jobs/tag_bundles.py"] = ["--allow-private-hosts"]
        first, second = (json.loads(said) for said in clone.walk(given[2:4]))
        asked = len(server.requests)
        clone.walk(given[4:])
        assert len(server.requests) == asked == len(names) == 5
    assert (first["images_fetched"], second["images_fetched"]) == (5, 0)
    assert (first["ok"], second["ok"]) == (5, 5)


def test_somebody_is_a_biologist_and_writes_no_code(clone: Clone) -> None:
    title = "You are a biologist and write no code"
    (table,) = blocks("text", section(title, page("tutorials/four-ways.md")))
    (clone.folder / "mine/terms.csv").write_text(table.replace(",200,", ",12,"))
    *given, last = way(title)
    with ApiServer(total=200) as server:
        clone.added["collect"] = ["--base-url", server.base, "--allow-private-hosts"]
        clone.added["fit"] = clone.with_base(ROOT / "conf/train/flowers5.toml")
        clone.added["serve"] = ["--port", "0"]
        clone.walk(given)
    picture = next((clone.folder / "mine/found/train/daisy").iterdir())
    body, kind = form(("a.png", picture)), f"multipart/form-data; boundary={BOUNDARY}"
    with clone.serving(last) as address:
        assert b"drop" in urllib.request.urlopen(address).read().lower()
        request = urllib.request.Request(f"{address}/classify", body, {"Content-Type": kind})
        answer = json.loads(urllib.request.urlopen(request).read())
    assert answer["success"] is True
    assert {one["label"] for one in answer["predictions"]} == {"daisy", "rose"}

"""All four tasks of EOL in one run, from the shipped files: one request an image, with ancestry and without."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from pyspark.sql import SparkSession

from eoltag.errors import ExitCode
from eoltag.settings import FetchSettings, Settings
from eoltag.spark.jobs.decide import decide_tags
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.requests import DecideRequest, TagRequest
from tests.spark.jobs.test_eol_tasks import IDS, LABELS, ROOT
from tests.support.loopback import Loopback
from tests.support.tiny_package import write_tiny_package

pytestmark = pytest.mark.spark

TASKS = ("rating", "image_type", "flower_fruit", "flowers")
PACKAGES = {
    "rating_18": "rating",
    "image_type_13": "image_type",
    "flower_fruit_07": "flower_fruit",
    "flower_fruit_11": "flower_fruit",
    "flowers": "flowers",
}
HEADERS = {
    "rating": f"{IDS}\timclass\tconfidence",
    "image_type": f"{IDS}\tmnorm_pp\ttag\tconfidence\ttag_cartoon\ttag_imtype\tproblematic",
    "flower_fruit": f"{IDS}\ttag7\ttag7_conf\ttag11\ttag11_conf\treprod",
    "flowers": f"{IDS}\ttag",
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with the five packages below models/, where the shipped task files look for them."""
    for seed, (name, task) in enumerate(PACKAGES.items()):
        write_tiny_package(tmp_path / "models" / name, LABELS[task], seed)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_four_tasks_fetch_each_image_once_and_give_eols_columns_with_ancestry_and_without(
    session: SparkSession, desk: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert session is not None
    paths = sorted(path for path in sample_images.rglob("*") if path.is_file())[::9]
    with Loopback(sample_images) as server:
        urls = [server.url(f"/files/{quote(str(path.relative_to(sample_images)))}") for path in paths]
        known, bare = urls[:6], urls[6:12]
        lines = [f"EOL-{n}\t{n}\t{url}\tPlantae|Poaceae|Poa" for n, url in enumerate(known)]
        header = "identifier\tdataObjectVersionID\teolMediaURL\tancestry"
        (desk / "grass_breakdown_000001.txt").write_text("\n".join([header, *lines]) + "\n")
        (desk / "bare_download_000001.txt").write_text("\n".join(bare) + "\n")
        request = TagRequest(
            bundles=["grass_breakdown_000001.txt", "bare_download_000001.txt"],
            tasks=list(TASKS),
            output="out",
            settings=Settings(fetch=FetchSettings(allow_private_hosts=True)),
            root=ROOT,
            is_quiet=True,
            as_json=True,
        )
        assert tag_bundles(request) == ExitCode.DONE
        assert len(server.requests) == len(set(urls[:12])) == 12
        before = written(desk)
        capsys.readouterr()
        assert decide_tags(DecideRequest(list(TASKS), "out", ROOT, as_json=True)) == ExitCode.DONE
        assert json.loads(capsys.readouterr().out)["ok"] == 12
        assert len(server.requests) == 12
    assert written(desk) == before, "the same decision gives the same bytes"
    for task in TASKS:
        for bundle, expected in (("grass_breakdown_000001", known), ("bare_download_000001", bare)):
            first, *rows = before[f"{task}/{bundle}_finaltags.tsv"].splitlines()
            assert first == HEADERS[task]
            cells = [row.split("\t") for row in rows]
            if task != "flowers":
                assert [row[0] for row in cells] == expected
            assert {row[3] for row in cells} <= {"Plantae|Poaceae|Poa" if expected is known else "NA"}
            if task == "flower_fruit":
                assert expected is bare or {row[-1] for row in cells} == {"N"}
            if task == "image_type":
                assert expected is bare or {row[-1] for row in cells} == {"maybe"}
                assert {row[-1] for row in cells if row[5] != "illus"} <= {"maybe" if expected is known else ""}
                assert all(float(row[4]) >= 0 for row in cells)
    assert len({len(text) for text in before.values()}) > 4


def written(folder: Path) -> dict[str, str]:
    """Every TSV file by task and name."""
    root = folder / "out/tsv"
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.tsv")}

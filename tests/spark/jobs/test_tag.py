"""The main job from bundle to tables, in this process, against a real server and a real small model."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.bundle.taking import Taking
from eoltag.errors import ExitCode, TaskError
from eoltag.image.cartoon import cartoonization
from eoltag.image.decode import decode
from eoltag.model.package import read_package
from eoltag.records import Outcome
from eoltag.report import plan_text
from eoltag.settings import EngineSettings, FetchSettings, RunSettings, Settings
from eoltag.spark.jobs.decide import decide_tags
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.predict.commits import commit
from eoltag.spark.requests import DecideRequest, TagRequest
from eoltag.spark.tables.output import Output
from tests.support.flat import predictions
from tests.support.images import png
from tests.support.loopback import Loopback
from train.__main__ import main as train

pytestmark = pytest.mark.spark

FETCH = FetchSettings(
    allow_private_hosts=True, attempts=2, backoff_base_s=0.01, backoff_cap_s=1.0, deadline_s=1.0, max_bytes=1_000_000
)
TASK = """
name = "kind"
missing = "NA"
columns = ["eolMediaURL", "identifier", "dataObjectVersionID", "ancestry", "imclass=tag", "confidence=logit"]
models.main.package = "{package}"
[[rules]]
name = "any"
when = "confidence >= 0"
tag_sql = "label"
"""

Row = dict[str, Any]


@pytest.fixture
def pictures(sample_images: Path) -> list[str]:
    """Names of the served pictures, as URL paths."""
    paths = sorted(path.relative_to(sample_images) for path in sample_images.rglob("*") if path.is_file())
    return [quote(str(path)) for path in paths]


@pytest.fixture
def task(tmp_path: Path, small_package: Path) -> Path:
    """Tags every image that was read with its label."""
    path = tmp_path / "kind.toml"
    path.write_text(TASK.format(package=small_package), encoding="utf-8")
    return path


@pytest.fixture
def run(
    session: SparkSession, task: Path, output_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Row]:
    """Runs the job on a download list of URLs and returns its summary, or plan."""
    assert session is not None

    def job(urls: list[str] | None = None, settings: Settings | None = None, **more: Any) -> Row:
        if urls is not None:
            (tmp_path / "list.txt").write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
        request = TagRequest(
            **{
                "bundles": [str(tmp_path / "list.txt")],
                "tasks": [str(task)],
                "output": str(output_folder),
                "settings": settings or Settings(fetch=FETCH),
                "root": tmp_path,
                "is_quiet": True,
                "as_json": True,
                **more,
            }
        )
        code = tag_bundles(request)
        shown: Row = json.loads(capsys.readouterr().out)
        return {**shown, "exit": code}

    return job


def thumbnail_urls(output: Path, task: str) -> set[str]:
    """The images that a task keeps thumbnails of."""
    return set(pq.read_table(output / f"thumbnails/task={task}")["eolMediaURL"].to_pylist())


def table(folder: Path) -> list[Row]:
    """All rows of a table, as a stranger reads it."""
    rows: list[Row] = pq.read_table(folder, partitioning="hive").to_pylist()
    return rows


@pytest.fixture
def broken_files(tmp_path: Path) -> Iterator[Loopback]:
    """Images that are broken in themselves."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/huge.png").write_bytes(png(20_000, 20_000, b""))
    (tmp_path / "broken/bytes.gif").write_bytes(b"GIF89a" + bytes(range(256)))
    with Loopback(tmp_path / "broken") as running:
        yield running


def test_every_row_comes_out_once_with_the_outcome_of_its_fault(
    run: Callable[..., Row],
    server: Loopback,
    broken_files: Loopback,
    pictures: list[str],
    output_folder: Path,
) -> None:
    one = pictures[0]
    faults = {
        "/status/404/x.jpg": "gone",
        "/status/410/x.jpg": "gone",
        "/status/401/x.jpg": "forbidden",
        "/status/403/x.jpg": "forbidden",
        "/status/429/x.jpg": "throttled",
        "/status/500/x.jpg": "server_error",
        "/status/418/x.jpg": "http_other",
        "/redirect-no-location/x.jpg": "redirect",
        "/redirect-loop/x.jpg": "redirect",
        "/html/x.jpg": "not_image",
        "/empty/x.jpg": "truncated",
        f"/truncated/{one}": "truncated",
        f"/cut/{one}": "truncated",
        "/big/2000000/x.jpg": "too_large",
        "/endless/x.jpg": "too_large",
        "/trickle/x.jpg": "timeout",
        "/close/x.jpg": "connect",
        f"/robots/noai/{one}": "opted_out",
        f"/robots/noindex/{one}": "ok",
        f"/flaky/503/1/{one}": "ok",
        f"/redirect/302/x.jpg?to={quote(server.url(one), safe='')}": "ok",
    }
    wanted = {server.url(path): outcome for path, outcome in faults.items()}
    wanted |= {"nonsense": "bad_url", "ftp://eol.org/a.jpg": "bad_url", "http://no-such-host.invalid/a.jpg": "dns"}
    wanted |= {server.url("/x.jpg").replace("http:", "https:"): "tls"}
    wanted |= {broken_files.url("huge.png"): "too_many_pixels", broken_files.url("bytes.gif"): "undecodable"}
    wanted |= {server.url(f"/files/{name}"): "ok" for name in pictures[:30]}
    assert set(wanted.values()) == set(Outcome) - {Outcome.BLOCKED_HOST}, (
        "every outcome; blocked hosts have their own test"
    )
    summary = run([*wanted, server.url(f"/files/{one}")])
    tags = table(output_folder / "tags")
    assert {row["eolMediaURL"]: row["outcome"] for row in tags} == wanted
    assert [row["bundle_row"] for row in tags] == list(range(1, len(wanted) + 2))
    assert summary["rows_in"] == len(wanted) + 1 == summary["ok"] + sum(summary["failed"].values())
    assert summary["failed"]["gone"] == 2
    assert sum(summary["tags"]["kind"].values()) == summary["ok"]
    found = predictions(output_folder)
    assert sorted(row["eolMediaURL"] for row in found) == sorted(wanted)
    assert all((row["label"] is None) == (row["outcome"] != "ok") for row in found)
    assert all(row["detail"] for row in found if row["outcome"] != "ok")


def test_the_tables_hold_what_a_user_was_promised(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path, small_package: Path
) -> None:
    summary = run([server.url(f"/files/{pictures[0]}")])
    (row,) = predictions(output_folder)
    package = read_package(small_package)
    # fmt: off
    assert list(row) == [
        "eolMediaURL", "dataObjectVersionID", "model_version", "engine", "source", "label", "confidence", "logit",
        "scores", "logits", "outcome", "detail", "http_status", "attempts", "width", "height", "color_mode", "bytes",
        "content_sha256", "perceptual_hash", "rendition", "fetched_at", "run_id",
    ]
    # fmt: on
    assert (row["model_version"], row["engine"], row["source"]) == (package.version, "openvino-f32", "fetch")
    assert (row["attempts"], row["http_status"]) == (1, 200)
    scores = dict(row["scores"])
    assert set(scores) == set(package.card.labels)
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
    assert row["confidence"] == pytest.approx(max(scores.values()))
    assert len(row["content_sha256"]) == 64
    assert len(row["perceptual_hash"]) == 16
    assert row["run_id"] == summary["run_id"]
    (stored,) = table(output_folder / "scores")
    assert stored["scores"][package.card.labels.index(row["label"])] == row["logit"] == max(stored["scores"])
    (bundle,) = table(output_folder / "bundles")
    assert (bundle["bundle"], bundle["bundle_row"]) == ("list", 1)
    document = json.loads((output_folder / f"runs/{summary['run_id']}.json").read_text())
    assert document["status"] == "done"
    assert document["summary"]["rows_in"] == 1
    assert document["tasks"]["kind"]["models"] == {"main": package.version}
    assert sorted(path.name for path in output_folder.iterdir()) == [
        "_schema.json",
        "bundles",
        "decided",
        "images",
        "models",
        "report",
        "runs",
        "scores",
        "tags",
        "thumbnails",
        "tsv",
        "views.duckdb.sql",
        "views.spark.sql",
    ]
    counted = duckdb.sql(
        f"SELECT task, tag, count(*) FROM read_parquet('{output_folder}/tags/*/*.parquet', hive_partitioning=true) "
        "GROUP BY ALL"
    ).fetchall()
    assert counted == [("kind", row["label"], 1)]


def test_a_second_run_fetches_nothing_and_ten_more_urls_fetch_ten(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path
) -> None:
    urls = [server.url(f"/files/{name}") for name in pictures[:20]] + [server.url("/status/404/x.jpg"), "nonsense"]
    assert run(urls)["images_fetched"] == 21
    asked, tsv = len(server.requests), (output_folder / "tsv/kind/list_finaltags.tsv").read_bytes()
    again = run(urls)
    assert (again["images_fetched"], again["images_per_s"], again["rows_in"]) == (0, 0.0, 22)
    assert len(server.requests) == asked
    assert (output_folder / "tsv/kind/list_finaltags.tsv").read_bytes() == tsv
    more = run(urls + [server.url(f"/files/{name}") for name in pictures[20:30]])
    assert (more["images_fetched"], more["rows_in"]) == (10, 32)
    assert len(server.requests) == asked + 10
    images = [row["eolMediaURL"] for row in table(output_folder / "images")]
    assert len(images) == len(set(images)) == 32


def test_a_passing_failure_is_asked_again_by_the_next_run_and_a_final_one_on_request(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path
) -> None:
    urls = [server.url(f"/flaky/503/4/{pictures[0]}"), server.url("/status/404/x.jpg")]
    assert run(urls)["failed"] == {"server_error": 1, "gone": 1}
    assert run(urls)["failed"] == {"gone": 1}
    assert server.count("/status/404/x.jpg") == 1
    assert run(urls, retry_failed=True)["failed"] == {"gone": 1}
    assert server.count("/status/404/x.jpg") == 2
    assert sorted(path.name for path in (output_folder / "tsv/kind").iterdir()) == [
        "list_failures.tsv",
        "list_finaltags.tsv",
    ]


def test_waves_that_were_committed_before_a_crash_are_not_done_again(
    run: Callable[..., Row],
    server: Loopback,
    pictures: list[str],
    output_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls = [server.url(f"/files/{name}") for name in pictures[:40]]
    settings = Settings(fetch=FETCH, run=RunSettings(first_wave_images=10, wave_s=0.1))
    committed: list[int] = []

    def crash_at_the_third(output: Output, staged: Any, *rest: Any) -> Any:
        if len(committed) == 2:
            raise RuntimeError("killed")
        committed.append(staged.where("table = 'images'").count())
        return commit(output, staged, *rest)

    with monkeypatch.context() as patch:
        patch.setattr("eoltag.spark.predict.work.commit", crash_at_the_third)
        with pytest.raises(RuntimeError, match="killed"):
            run(urls, settings)
    done = len(table(output_folder / "images"))
    assert done == sum(committed) < 40
    assert run(urls)["images_fetched"] == 40 - done
    assert sorted(row["eolMediaURL"] for row in table(output_folder / "images")) == sorted(urls)
    contents = [row["content_sha256"] for row in table(output_folder / "scores")]
    assert (
        len(contents) == len(set(contents)) == len({row["content_sha256"] for row in table(output_folder / "images")})
    )


@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_the_job_says_what_classify_says(
    run: Callable[..., Row],
    server: Loopback,
    pictures: list[str],
    output_folder: Path,
    sample_images: Path,
    small_package: Path,
    capsys: pytest.CaptureFixture[str],
    engine: str,
) -> None:
    urls = {server.url(f"/files/{name}"): sample_images / name for name in pictures[::5]}
    run(list(urls), Settings(fetch=FETCH, engine=EngineSettings.model_validate({"name": engine, "batch_size": 8})))
    paths = [str(path) for path in urls.values()]
    assert train(["classify", str(small_package), *paths, "--engine", engine, "--json"]) == 0
    said = {row["path"]: row for row in json.loads(capsys.readouterr().out)}
    rows = predictions(output_folder)
    assert len(rows) == len(paths)
    for row in rows:
        alone = said[str(urls[row["eolMediaURL"]])]
        assert row["engine"] == f"{engine}-f32"
        assert row["label"] == alone["label"]
        assert row["confidence"] == pytest.approx(alone["confidence"], abs=1e-4)
        assert row["logit"] == pytest.approx(alone["logit"], abs=1e-4)


def test_a_download_list_takes_the_columns_of_its_breakdown_and_each_image_is_fetched_once(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path, tmp_path: Path
) -> None:
    urls = [server.url(f"/files/{name}") for name in pictures[:3]]
    breakdown, download = tmp_path / "x_breakdown_000001.txt", tmp_path / "x_breakdown_download_000001.txt"
    lines = [f"EOL-{n}\t{n}\t{url}\tPlantae|Rosa" for n, url in enumerate(urls)]
    breakdown.write_text("\n".join(["identifier\tdataObjectVersionID\teolMediaURL\tancestry", *lines]) + "\n")
    download.write_text("\n".join(urls) + "\n")
    summary = run(bundles=[str(breakdown), str(download)])
    assert (summary["rows_in"], summary["images_fetched"], len(server.requests)) == (6, 3, 3)
    first, second = (
        (output_folder / f"tsv/kind/x_breakdown_{name}_finaltags.tsv").read_text()
        for name in ("000001", "download_000001")
    )
    assert first == second
    assert first.splitlines()[1].startswith(f"{urls[0]}\tEOL-0\t0\tPlantae|Rosa\t")


def test_an_image_in_two_versions_stands_once_for_every_row_that_names_it(
    run: Callable[..., Row], server: Loopback, pictures: list[str], tmp_path: Path, output_folder: Path
) -> None:
    one, two = (server.url(f"/files/{quote(picture)}") for picture in pictures[:2])
    given = [("1", one), ("2", one), ("", one), ("1", two)]
    lines = [f"EOL-{number}\t{version}\t{url}\tLife" for number, (version, url) in enumerate(given)]
    breakdown = tmp_path / "media_breakdown_000001.txt"
    breakdown.write_text("\n".join(["identifier\tdataObjectVersionID\teolMediaURL\tancestry", *lines]) + "\n")
    summary = run(bundles=[str(breakdown)])
    assert (summary["rows_in"], summary["ok"], len(server.requests)) == (4, 4, 2)
    tags = sorted((row["bundle_row"], row["eolMediaURL"]) for row in table(output_folder / "tags"))
    assert tags == [(1, one), (2, one), (3, one), (4, two)]


def test_deciding_again_touches_no_image(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path, task: Path, tmp_path: Path
) -> None:
    run([server.url(f"/files/{name}") for name in pictures[:5]])
    asked = len(server.requests)
    task.write_text(task.read_text().replace("confidence >= 0", "logit > 1e9"), encoding="utf-8")
    assert decide_tags(DecideRequest([str(task)], str(output_folder), tmp_path, as_json=True)) == ExitCode.DONE
    assert len(server.requests) == asked
    assert {row["tag"] for row in table(output_folder / "tags")} == {"NA"}
    assert (output_folder / "tsv/kind/list_finaltags.tsv").read_text().count("\tNA\tNA\t") == 5
    assert len(list((output_folder / "runs").iterdir())) == 2


def test_tasks_fetch_each_image_once_and_a_task_added_later_asks_for_nothing(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path, task: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(task.read_text().replace('name = "kind"', 'name = "other"'), encoding="utf-8")
    urls = [server.url(f"/files/{name}") for name in pictures[:4]]
    summary = run(urls, tasks=[str(task), str(other)])
    assert len(server.requests) == 4
    assert {name: sum(tags.values()) for name, tags in summary["tags"].items()} == {"kind": 4, "other": 4}
    third = tmp_path / "third.toml"
    third.write_text(task.read_text().replace('name = "kind"', 'name = "third"'), encoding="utf-8")
    later = run(urls, tasks=[str(third)])
    assert (len(server.requests), later["work"]["scores"], later["work"]["rows"]["scores"]) == (4, 0, 4)
    assert later["tags"]["third"] == summary["tags"]["kind"]
    assert len(predictions(output_folder)) == 4
    kept = {name: thumbnail_urls(output_folder, name) for name in ("kind", "other", "third")}
    assert kept["kind"] == kept["other"] == kept["third"] != set()


def test_a_dry_run_counts_and_leaves_nothing(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path
) -> None:
    urls = [server.url(f"/files/{name}") for name in pictures[:6]]
    plan = run([*urls, urls[0], "nonsense"], is_dry_run=True)
    counts = {
        "rows_in": 8, "bad_rows": 1, "from_scores": 0, "from_features": 0, "from_pixels": 0, "asked_if_modified": 0,
        "to_fetch": 7, "without_features": 0, "requests": 6, "images_to_score": 0, "estimated_s": None,
    }  # fmt: skip
    assert plan == {**counts, "rules": {}, "steps": [], "exit": ExitCode.DONE}
    assert not output_folder.exists()
    assert server.requests == []
    run(urls[:2])
    before = sorted(output_folder.rglob("*"))
    plan = run([*urls, urls[0], "nonsense"], is_dry_run=True)
    assert plan == {
        **counts,
        "from_scores": 3,
        "to_fetch": 4,
        "requests": 4,
        "rules": {"kind": {"any": 3}},
        "steps": [],
        "exit": ExitCode.DONE,
    }
    assert sorted(output_folder.rglob("*")) == before


def test_too_many_failures_end_with_exit_code_three(run: Callable[..., Row], server: Loopback) -> None:
    urls = [server.url(f"/status/404/{n}.jpg") for n in range(3)]
    assert run(urls)["exit"] == ExitCode.TOO_MANY_FAILURES
    assert run(urls, Settings(fetch=FETCH, run=RunSettings(max_failure_rate=1.0)))["exit"] == ExitCode.DONE


def test_a_run_that_drifts_further_than_its_task_allows_ends_with_exit_code_four(
    run: Callable[..., Row], server: Loopback, pictures: list[str], task: Path
) -> None:
    assert run([server.url(f"/files/{name}") for name in pictures[:4]])["exit"] == ExitCode.DONE
    text = task.read_text().replace('tag_sql = "label"', "tag_sql = \"'other'\"")
    task.write_text(text)
    found = run()
    assert found["exit"] == ExitCode.DONE, "nothing is held against a limit that nobody has set"
    assert found["drift"]["kind"]["tags"] > 1
    task.write_text(f"{text.replace('other', 'another')}[publish]\nmax_drift = 1.0\n")
    assert run()["exit"] == ExitCode.REFUSED
    assert run()["exit"] == ExitCode.DONE, "tags as in the run before have not drifted"


def test_a_sample_is_the_same_for_one_seed(run: Callable[..., Row], server: Loopback, pictures: list[str]) -> None:
    urls = [server.url(f"/files/{name}") for name in pictures[:20]]
    assert run(urls, sample=5, seed=1)["images_fetched"] == 5
    assert run(urls, sample=5, seed=1)["images_fetched"] == 0
    assert run(urls, sample=5, seed=2)["rows_in"] == 5
    part = run(urls, taking=Taking(limit=3))
    assert part["rows_in"] == 3
    assert any("tags and TSV hold only that part" in note for note in part["notes"])


def test_private_hosts_are_refused_unless_allowed(
    run: Callable[..., Row], server: Loopback, pictures: list[str]
) -> None:
    settings = Settings(fetch=FETCH.model_copy(update={"allow_private_hosts": False}))
    assert run([server.url(f"/files/{pictures[0]}")], settings)["failed"] == {"blocked_host": 1}
    assert server.requests == []


def test_looking_at_a_changed_rule_shows_counts_and_flips_and_writes_nothing(
    run: Callable[..., Row],
    server: Loopback,
    pictures: list[str],
    output_folder: Path,
    task: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = run([*(server.url(f"/files/{name}") for name in pictures[:6]), server.url("/status/404/x.jpg")])
    tags = before["tags"]["kind"]
    chosen = sorted(tags)[0]
    task.write_text(task.read_text().replace("confidence >= 0", f"label <> '{chosen}'"), encoding="utf-8")
    files = {path: path.read_bytes() for path in output_folder.rglob("*") if path.is_file()}
    request = DecideRequest([str(task)], str(output_folder), tmp_path, True, True, tmp_path / "flips.tsv")
    assert decide_tags(request) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)["tasks"]["kind"]
    assert found["now"] == {**tags, "(no tag)": 1}
    assert found["after"] == {**{tag: n for tag, n in tags.items() if tag != chosen}, "NA": tags[chosen], "(no tag)": 1}
    assert (found["moves"], found["flipped"]) == ({f"{chosen} -> NA": tags[chosen]}, tags[chosen])
    header, *lines = (tmp_path / "flips.tsv").read_text().splitlines()
    assert header == "bundle\tbundle_row\teolMediaURL\ttag_now\ttag_after\trule_now\trule_after"
    assert [line.split("\t")[3:] for line in lines] == [[chosen, "NA", "any", ""]] * tags[chosen]
    assert [line.split("\t")[2] for line in lines] == [row["eolMediaURL"] for row in found["examples"]]
    assert {path: path.read_bytes() for path in output_folder.rglob("*") if path.is_file()} == files
    assert decide_tags(DecideRequest([str(task)], str(output_folder), tmp_path, is_dry_run=True)) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert f"  {tags[chosen]} of 7 rows get another tag" in shown
    assert f"{chosen} -> NA (any -> no rule)" in shown


def test_a_rule_that_never_fires_is_named_by_both_dry_runs_and_by_the_summary(
    run: Callable[..., Row],
    server: Loopback,
    pictures: list[str],
    output_folder: Path,
    task: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([server.url(f"/files/{name}") for name in pictures[:3]])["rules"] == {"kind": {"any": 3}}
    first = '[[rules]]\nname = "percent"\nwhen = "confidence > 95"\ntag = "sure"\n[[rules]]\nname = "any"'
    task.write_text(task.read_text().replace('[[rules]]\nname = "any"', first), encoding="utf-8")
    fired = {"percent": 0, "any": 3}
    assert run(is_dry_run=True)["rules"] == {"kind": fired}
    looked = DecideRequest([str(task)], str(output_folder), tmp_path, is_dry_run=True)
    for request in (looked, replace(looked, is_dry_run=False)):
        assert decide_tags(replace(request, as_json=True)) == ExitCode.DONE
        said = json.loads(capsys.readouterr().out)
        assert (said["tasks"]["kind"] if request.is_dry_run else said)["rules"] in (fired, {"kind": fired})
        assert decide_tags(request) == ExitCode.DONE
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if "fired" in line] == ["  rule 'percent' fired 0 times"]


def test_a_plan_names_rules_that_never_fire_only_where_something_is_scored() -> None:
    plan = {"rows_in": 2, "to_do": 1}
    shown = plan_text(plan, {"kind": {"any": 1, "percent": 0}, "other": {"any": 1}}, [])
    assert "task kind, over what is scored already:\n  rule 'percent' fired 0 times" in shown
    assert "other" not in shown
    assert "fired" not in plan_text(plan, {}, [])


@pytest.mark.damages_output
def test_a_value_that_a_rule_cannot_take_ends_in_one_line_that_names_the_rule(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path, task: Path, tmp_path: Path
) -> None:
    run([server.url(f"/files/{name}") for name in pictures[:2]])
    files = {path: path.read_bytes() for path in output_folder.rglob("*.tsv")}
    rules = task.read_text().replace("confidence >= 0", "CAST(color_mode AS INT) > 3")
    task.write_text(rules, encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        decide_tags(DecideRequest([str(task)], str(output_folder), tmp_path))
    assert re.match(
        rf"{task}: rule 'any': The value '(L|RGB)' of the type \"STRING\" cannot be cast", str(caught.value)
    )
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in output_folder.rglob("*.tsv")} == files


def test_a_feature_is_measured_where_a_task_asks_and_a_task_that_asks_later_fetches_again(
    run: Callable[..., Row], server: Loopback, pictures: list[str], output_folder: Path, task: Path, sample_images: Path
) -> None:
    urls = {server.url(f"/files/{name}"): sample_images / name for name in pictures[:60:20]}
    run(list(urls))
    assert not (output_folder / "measures").exists()
    task.write_text('features = ["mnorm_pp"]\n' + task.read_text(), encoding="utf-8")
    assert run(list(urls))["images_fetched"] == 3
    assert run(list(urls))["images_fetched"] == 0
    for row in table(output_folder / "tags"):
        pixels = decode(urls[row["eolMediaURL"]].read_bytes(), [], 10**8, [None]).pictures[0]
        assert row["mnorm_pp"] == cartoonization(pixels).mnorm_pp
    assert len({row["mnorm_pp"] for row in table(output_folder / "tags")}) == 3


def test_a_path_is_taken_letter_by_letter(
    run: Callable[..., Row], server: Loopback, pictures: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "out [1]{a,b}\\x*"
    urls = [server.url(f"/files/{name}") for name in pictures[:2]]
    assert run(urls, output=str(output))["ok"] == 2
    again = run([*urls, server.url(f"/files/{pictures[2]}")], output=str(output))
    assert (again["ok"], again["known"], again["images_fetched"]) == (3, 2, 1)
    assert len((output / "tsv/kind/list_finaltags.tsv").read_text().splitlines()) == 4

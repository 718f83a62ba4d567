"""The benchmarks' own arithmetic, command lines and tools. No peer is needed; nothing is measured."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from benchmarks import four_tasks, parts, scale, sizing, start, throughput
from benchmarks.arms import ARMS
from benchmarks.arms.command import parser, read_job, read_labels
from benchmarks.arms.eoltag_job import write_inputs
from benchmarks.arms.runtime import picture, predict_pictures
from benchmarks.environments import PEERS
from benchmarks.models import ridge_head
from benchmarks.photos import name_of, photo_names, url_list
from benchmarks.results import Run, spread, table
from benchmarks.server import ROOT, Server, served
from benchmarks.sizing import Cluster, Figures, plan, replaced
from benchmarks.usage import Usage, run_measured
from eoltag.settings import read_settings

FIGURES = Figures(
    cpu_s_per_image=0.008,
    decode_s_per_image=0.0025,
    fetch_s_per_image=0.0005,
    infer_s_per_image=0.005,
    share_of_bound=0.8,
    plumbing_s_per_row=0.0001,
    again_s_per_row=0.00001,
    gpu_images_per_s=2000.0,
)
CLUSTER = Cluster(cores_per_executor=4, concurrency=16, latency_s=0.2, wave_s=300.0)


def run(arm: str, wall_s: float, images: int = 100, work_s: float | None = None, problem: str | None = None) -> Run:
    """A run of an arm in which everything else is alike."""
    return Run(
        arm=arm,
        title=ARMS[arm].title,
        latency_ms=0,
        images=images,
        wall_s=wall_s,
        work_s=work_s,
        cpu_s=10.0,
        peak_rss_mb=500.0,
        peak_by_kind_mb={},
        server_cpu_s=0.01,
        completed=images - 2,
        agreeing=images - 4,
        problem=problem,
        is_warm=ARMS[arm].is_warm,
    )


@pytest.mark.parametrize("module", sorted({arm.module for arm in ARMS.values()}))
def test_every_arm_is_a_program_with_the_same_command_line(module: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.arms.{module}", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    given = {option for arm in ARMS.values() if arm.module == module for option in arm.options if option[:2] == "--"}
    assert {"--urls", "--package", "--out", *given} <= set(shown.stdout.split())


def test_the_pins_of_every_peer_are_there_and_exact() -> None:
    for name in {arm.environment for arm in ARMS.values() if arm.environment}:
        pins = (PEERS / f"{name}.txt").read_text().splitlines()
        assert any(pin.startswith(f"{name}==") for pin in pins)
        assert all(len(pin.split("==")) == 2 for pin in pins)
        assert not any(pin.startswith("torch") for pin in pins)


def test_the_programs_take_the_options_that_their_help_shows() -> None:
    chosen = throughput.parser().parse_args(["--arms", "A,Gw", "--latency-ms", "0", "40", "--count", "50"])
    assert (chosen.arms, chosen.latency_ms, chosen.count) == (["A", "Gw"], [0, 40], 50)
    assert parts.parser().parse_args(["--engine", "keras"]).engine == "keras"
    assert scale.parser().parse_args([]).rows == [10_000, 100_000]
    assert sizing.parser().parse_args(["--images", "1e6"]).images == [1e6]
    assert (start.parser().parse_args([]).count, start.parser().parse_args(["--runs", "3"]).runs) == (20, 3)


def test_an_unknown_arm_is_refused_with_the_names_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        throughput.parser().parse_args(["--arms", "A,Z"])
    assert "A, B, C, D, D2, E, E2, F, G, H, Fw, Gw, Hw. Received: Z" in capsys.readouterr().err


def test_a_spread_is_the_median_and_the_range_of_what_is_there() -> None:
    found = spread([3.0, None, 1.0, 10.0])
    assert found is not None
    assert (found.median, found.low, found.high) == (3.0, 1.0, 10.0)
    assert found.text() == "3.0 (1.0 to 10.0)"
    assert spread([None]) is None


def test_the_cold_rate_of_fewer_images_is_estimated_from_start_up_and_steady_rate() -> None:
    measured = run("A", wall_s=30.0, images=100, work_s=20.0)
    assert measured.cold_rate(100) == pytest.approx(100 / 30)
    assert measured.cold_rate(1000) == pytest.approx(1000 / (10 + 200))
    assert measured.warm_rate == pytest.approx(5.0)
    assert run("Gw", wall_s=30.0, work_s=10.0).cold_rate(100) is None


def test_the_table_has_a_row_for_every_arm_and_says_why_one_has_no_figures() -> None:
    runs = [run("A", 50.0), run("A", 20.0), run("D", 1.0, problem="cannot be installed: no network"), run("G", 5.0)]
    lines = table(runs, images=100).splitlines()
    assert lines[2].startswith("| A notebook loop | 100 | 3.5 (2.0 to 5.0) |  | 5.7 |")
    assert "98 | 2 | 97.96% |" in lines[2]
    assert "no result: cannot be installed: no network" in lines[3]
    assert lines[4].startswith("| G eoltag f32 | 100 | 20.0 |  | 1.0 |")


def test_the_bound_is_the_cores_over_the_sum_of_the_parts() -> None:
    costs = {"fetch": [0.001, 0.003, 0.002], "decode": [0.004], "infer": [0.010]}
    found = [{"part": part, "cpu_s": cost} for part, all_costs in costs.items() for cost in all_costs]
    found += [{"part": "rows", "cpu_s": 0.5}]
    found[0]["server_cpu_s"] = 0.004
    document = parts.summary(found, cores=2)
    assert document["bound_images_per_s"] == pytest.approx(2 / 0.016)
    assert document["bound_with_server_images_per_s"] == pytest.approx(2 / 0.020)
    assert "fetch                  2.000      1.000 to 3.000" in parts.text(document)


def test_the_start_of_the_job_is_told_as_a_ratio_of_medians_beside_bare_spark() -> None:
    def usages(*walls_s: float) -> list[Usage]:
        return [Usage(0, wall_s, 2 * wall_s, 900.0, {}, "", "") for wall_s in walls_s]

    found = start.summary({"bare": usages(9.0, 8.0, 30.0), "job": usages(10.0, 10.8, 12.0)})
    assert found["ratio"] == pytest.approx(1.2)
    lines = start.text({**found, "count": 20}).splitlines()
    assert " ".join(lines[1].split()) == "bare PySpark, range(2) 9.0 (8.0 to 30.0) 18.0 (16.0 to 60.0) 900"
    assert lines[2].startswith("the job                 10.8 (10.0 to 12.0)")
    assert lines[3] == "the job over 20 images takes 1.20 times as long as bare PySpark"


def test_the_parts_have_the_variables_of_workers() -> None:
    assert parts.worker_environment() == {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def test_cores_keep_up_with_the_rate_or_hold_enough_connections() -> None:
    busy = plan(10_000_000, 1000.0, FIGURES, CLUSTER)
    assert (busy.cores, busy.executors, busy.connections) == (13, 4, 200)  # 200 in flight at 16 a core; 10 for the CPU
    assert busy.hours == pytest.approx(10_000 / 3600)
    assert busy.core_hours == pytest.approx(16 * 10_000 / 3600)
    assert busy.busy_core_hours == pytest.approx(100_000 / 3600)
    assert busy.files == 34
    polite = plan(10_000_000, 10.0, FIGURES, CLUSTER)
    assert (polite.cores, polite.executors, polite.files) == (1, 1, 3334)
    assert polite.hours == pytest.approx(1_000_000 / 3600)


def test_a_wave_of_more_images_than_fit_a_file_is_written_as_several() -> None:
    assert plan(3_000_000, 5000.0, FIGURES, CLUSTER).files == 2 * (1 + 3)


def test_the_limits_name_what_becomes_the_bottleneck_where() -> None:
    found = {what: rate for what, rate, _ in sizing.limits(FIGURES, CLUSTER)}
    assert found["one core"] == pytest.approx(100)
    assert found["one executor of 4 cores"] == pytest.approx(400)
    assert found["NAT, a new connection for every image"] == pytest.approx(470.5, abs=0.1)
    assert found["driver and plumbing"] == pytest.approx(10_000)
    assert sizing.gpu_feeding_cores(FIGURES) == pytest.approx(6.0)


def test_sizes_are_computed_from_the_files_that_the_benchmarks_leave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{sizing.BEGIN}\nold\n{sizing.END}\nafter\n")
    monkeypatch.setattr(sys, "argv", ["sizing", "--figures", str(tmp_path), "--write", str(page)])
    assert sizing.main() == 2
    assert "run make bench-parts first" in capsys.readouterr().err
    costs = [{"part": part, "cpu_s": cost} for part, cost in (("fetch", 0.001), ("decode", 0.003), ("infer", 0.006))]
    (tmp_path / "parts.json").write_text(json.dumps({**parts.summary(costs, cores=2), "images": "photos"}))
    throughput_runs = [{"arm": "Gw", "latency_ms": 0, "images": 300, "work_s": 2.0}]
    (tmp_path / "throughput.json").write_text(json.dumps({"images": "photos", "runs": throughput_runs}))
    assert sizing.main() == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "10.00 CPU ms an image" in text
    assert "share of that bound in a warm run: 75%" in text
    assert "| 10,000,000 | 100 | 27.8 | 2 | 1 | 111.1 | 37.0 | 20 | 334 |" in text
    assert "GPU: not measured here." in text


def test_a_page_without_markers_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="begin"):
        replaced("nothing to replace", "tables")


@pytest.mark.parametrize("only_fallback", [False, True], ids=["nginx where it is there", "the fallback"])
def test_the_server_gives_each_number_its_own_url_of_the_same_file(
    only_fallback: bool, sample_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.server._may_install", lambda: False)
    names = photo_names(sample_images)
    with served(sample_images, latency_s=0.05, only_fallback=only_fallback) as server:
        urls = url_list(names[:2], server, 4)
        bodies = [urllib.request.urlopen(url).read() for url in urls]
        assert server.kind == "aiohttp" or not only_fallback
        assert server.cpu_s() >= 0
    assert len(set(urls)) == 4
    assert [name_of(url) for url in urls] == [names[0], names[1]] * 2
    assert bodies == [(sample_images / name).read_bytes() for name in (names[0], names[1])] * 2


def test_what_a_command_costs_includes_what_it_leaves_behind(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.6: pass"
    leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}])"
    usage = run_measured([sys.executable, "-c", leave], cwd=tmp_path)
    assert usage.code == 0
    assert usage.cpu_s >= 0.6


def test_a_command_that_fails_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    usage = run_measured([sys.executable, "-c", "import sys; print('out'); sys.exit('reason')"], cwd=tmp_path)
    assert (usage.code, usage.output, usage.errors) == (1, "out\n", "reason\n")


def test_labels_come_back_as_they_were_written_without_the_failures(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"labels": ["map", "photo"], "input": {"width": 32}}')
    (tmp_path / "urls.txt").write_text("http://a/1?n=0\nhttp://a/2?n=1\n")
    words = ["--urls", f"{tmp_path}/urls.txt", "--package", str(tmp_path), "--out", f"{tmp_path}/out"]
    job = read_job(parser("An arm.").parse_args(words), "numpy", batch_size=32)
    with job.work():
        job.write(zip(job.urls, ["map", None], strict=True))
    assert read_labels(tmp_path / "out") == {"http://a/1?n=0": "map"}
    work = json.loads((tmp_path / "out" / "work.json").read_text())
    assert work["versions"] == {"numpy": np.__version__}
    assert work["settings"] == {"batch_size": 32}
    assert work["work_s"] >= 0


def test_pictures_that_cannot_be_read_have_no_label_and_shift_no_other(sample_images: Path) -> None:
    first, second = ((sample_images / name).read_bytes() for name in photo_names(sample_images)[:2])

    def first_pixel_is_bright(batch: np.ndarray) -> np.ndarray:
        return np.stack([batch[:, 0, 0, 0] < 0, batch[:, 0, 0, 0] >= 0], axis=1).astype(np.float32)

    assert picture(first, 16).shape == (16, 16, 3)
    assert predict_pictures(first_pixel_is_bright, [first, b"no image", None, second], 16) == [1, None, None, 1]


def test_the_head_of_the_benchmark_model_tells_classes_apart() -> None:
    rng = np.random.default_rng(0)
    classes = np.arange(60) % 3
    features = rng.normal(size=(60, 8)) * 1e-3 + 5.0
    features[:, :3] += 4e-3 * np.eye(3)[classes]
    kernel, bias = ridge_head(features, np.eye(3)[classes])
    assert ((features @ kernel + bias).argmax(axis=1) == classes).mean() > 0.9


def test_every_row_of_a_scale_bundle_is_another_image_of_a_few_files() -> None:
    server = Server("nginx", 8080, 1)
    lines = list(scale.bundle_lines(250, server, is_plumbing=False))[1:]
    urls = [line.split("\t")[2] for line in lines]
    assert len(set(urls)) == 250
    assert len({name_of(url) for url in urls}) == scale.PICTURES
    refused = [line.split("\t")[2] for line in scale.bundle_lines(3, server, is_plumbing=True)][1:]
    assert [url.startswith("http://10.0.0.1/") for url in refused] == [True] * 3


def test_the_settings_of_the_eoltag_arms_are_ones_that_eoltag_takes(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, ["http://a/1"], tmp_path, {"name": "openvino", "precision": "f32"})
    engine = read_settings(inputs / "settings.toml").engine
    assert (engine.name, engine.precision) == ("openvino", "f32")


def test_a_run_of_four_tasks_is_set_beside_the_sum_of_its_parts() -> None:
    costs = [
        {"fetch": 0.001, "decode": 0.004, "infer": 0.02, "cartoon": 0.075},
        {"fetch": 0.003, "decode": 0.006, "infer": 0.02, "cartoon": 0.071},
    ]
    runs = [
        {"core_s_per_image": 0.11, "requests_per_image": 1.0},
        {"core_s_per_image": 0.13, "requests_per_image": 1.01},
    ]
    document = four_tasks.summary(costs, runs)
    assert document["sum_core_s_per_image"] == pytest.approx(0.1)
    assert document["ratio"] == pytest.approx(1.2)
    assert document["requests_per_image"] == 1.01
    assert "120.00 (110.00 to 130.00): 1.20 times the sum" in four_tasks.text(document)


def test_nginx_counts_its_requests_where_asked_to(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with served(tmp_path, is_counted=True) as server:
        if server.kind != "nginx":
            pytest.skip("the fallback does not count")
        for number in range(3):
            urllib.request.urlopen(server.url("a.txt", number)).close()
        assert server.requests() == 3
    with served(tmp_path) as server, pytest.raises(RuntimeError, match="does not count"):
        server.requests()

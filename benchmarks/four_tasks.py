"""EOL's four tasks, with five models, in one run: is each image fetched and decoded once, and what does the rest cost?

    make bench-tasks [ARGS="--images PHOTOS --count 200 --runs 3"]

The five networks are those of conf/train (MobileNetV2 four times, EOL's own from nothing), with random weights: a
network takes the same time whatever it has learnt. Each part is measured alone, in one process on one core: one fetch,
one decoding for all five, five times inference, cartoonization. Their sum over the cores is the least that a run can
take. Beside it stands the run, workers up and models loaded: from the first image that a worker took up to the last
file of images. The web server counts its requests. Figures go to build/bench/tasks.json.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.arms.command import CORES, warm_s
from benchmarks.parts import cpu_s_per_item, fetch_part, infer_part, pin, worker_environment
from benchmarks.photos import drawn_pictures, photo_names, url_list
from benchmarks.server import ROOT, served
from benchmarks.throughput import BUILD, machine
from eoltag.model.card import CardInput
from eoltag.model.package import Card, read_package, write_card
from eoltag.settings import Settings

TASKS: Final = ("rating", "image_type", "flower_fruit", "flowers")
KINDS: Final = ("herb", "illus", "map", "null", "phylo")
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "rating_18": ("bad", "good"),
    "image_type_13": KINDS,
    "flower_fruit_07": ("Flower", "Fruit", "Null"),
    "flower_fruit_11": ("Flower", "Fruit", "Null"),
    "flowers": ("Branch", "Entire", "Flower", "Fruit", "Leaf", "Stem"),
}
FOLDER: Final = BUILD / "tasks"
PARTS: Final = ("fetch", "decode", "infer", "cartoon")


def main() -> None:
    """The parts and the run in turns; then what both come to."""
    options = parser().parse_args()
    if options.part:
        print(json.dumps(_part(options)))
        return
    if options.inside:
        _run_inside(options.inside)
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    options.images = (options.images or drawn_pictures(BUILD / "samples")).resolve()
    for seed, (name, labels) in enumerate(PACKAGES.items()):
        if not (FOLDER / "models" / name / "card.json").is_file():
            write_package(FOLDER / "models" / name, name, labels, seed)
    costs: list[dict[str, float]] = []
    runs: list[dict[str, float]] = []
    for _ in range(options.runs):
        costs.append({part: _measured(part, options) for part in PARTS})
        runs.append(_run(options))
    document = {"machine": machine(), "images": options.images.name, "count": options.count, **summary(costs, runs)}
    (BUILD / "tasks.json").write_text(json.dumps(document, indent=2) + "\n")
    print(text(document))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="make bench-tasks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    new.add_argument("--images", type=Path, metavar="DIR", help="photos; default: pictures drawn here")
    new.add_argument("--count", type=int, default=200, metavar="N", help="images (default 200)")
    new.add_argument("--runs", type=int, default=3, metavar="N", help="runs (default 3)")
    new.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    new.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return new


def write_package(path: Path, config: str, labels: tuple[str, ...], seed: int) -> None:
    """The network of conf/train/CONFIG.toml for these labels, with random weights."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from train.architectures import build
    from train.settings import read_fit_settings

    keras.utils.set_random_seed(seed)
    settings = read_fit_settings(ROOT / "conf" / "train" / f"{config}.toml")
    model = build(settings.model_copy(update={"weights": "none"}), len(labels)).model
    (path / "openvino").mkdir(parents=True, exist_ok=True)
    model.export(str(path / "openvino" / "model.xml"), format="openvino", verbose=False)
    _, height, width, _ = model.input_shape
    size = CardInput(height=height, width=width, fit=settings.fit, resample=settings.resample)
    write_card(path, Card(card_version=1, name=config, labels=labels, input=size, files={}))


def summary(costs: list[dict[str, float]], runs: list[dict[str, float]]) -> dict[str, Any]:
    """Medians, in CPU seconds an image for the parts and in seconds an image times cores for the run."""
    parts = {part: median(cost[part] for cost in costs) for part in PARTS}
    total_s, run_s = sum(parts.values()), median(run["core_s_per_image"] for run in runs)
    return {
        "cores": CORES,
        "parts": parts,
        "sum_core_s_per_image": total_s,
        "run_core_s_per_image": run_s,
        "low": min(run["core_s_per_image"] for run in runs),
        "high": max(run["core_s_per_image"] for run in runs),
        "ratio": run_s / total_s,
        "requests_per_image": max(run["requests_per_image"] for run in runs),
    }


def text(document: Mapping[str, Any]) -> str:
    """For people."""
    lines = [f"{part:<10}{1000 * cost:>8.2f} ms of one core an image" for part, cost in document["parts"].items()]
    low, middle, high = (1000 * document[key] for key in ("low", "run_core_s_per_image", "high"))
    lines.append(f"{'sum':<10}{1000 * document['sum_core_s_per_image']:>8.2f}")
    lines.append(f"{'the run':<10}{middle:>8.2f} ({low:.2f} to {high:.2f}): {document['ratio']:.2f} times the sum")
    lines.append(f"requests at the server for each image: {document['requests_per_image']:.2f}")
    return "\n".join(lines)


def _measured(part: str, options: argparse.Namespace) -> float:
    command = [sys.executable, "-m", "benchmarks.four_tasks", "--part", part, "--images", str(options.images)]
    command += ["--count", str(options.count)]
    environment = {**os.environ, **worker_environment()}
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return float(json.loads(done.stdout.splitlines()[-1])["cpu_s"])


def _part(options: argparse.Namespace) -> dict[str, float]:
    measure: Mapping[str, Callable[[], dict[str, float]]] = {
        "fetch": lambda: fetch_part(options.images, options.count),
        "decode": lambda: _decode(options),
        "infer": _infer,
        "cartoon": lambda: _cartoon(options),
    }
    return measure[options.part]()


def _decode(options: argparse.Namespace) -> dict[str, float]:
    """Once for all models, with the whole picture that cartoonization wants."""
    from eoltag.image.decode import decode

    pin()
    cards = [read_package(FOLDER / "models" / name).card for name in PACKAGES]
    specs, limit = list({card.spec: None for card in cards}), Settings().decode.max_pixels
    work = (decode(data, specs, limit, [None]) for data in _files(options))
    return {"cpu_s": cpu_s_per_item(work, options.count)}


def _infer() -> dict[str, float]:
    packages = [read_package(FOLDER / "models" / name) for name in PACKAGES]
    return {"cpu_s": sum(infer_part(package, "openvino", "f32", 200)["cpu_s"] for package in packages)}


def _cartoon(options: argparse.Namespace) -> dict[str, float]:
    from eoltag.image.cartoon import cartoonization
    from eoltag.image.decode import decode

    pin()
    limit = Settings().decode.max_pixels
    pictures = [decode(data, [], limit, [None]).pictures[0] for data in _files(options)]
    return {"cpu_s": cpu_s_per_item((cartoonization(picture) for picture in pictures), options.count)}


def _files(options: argparse.Namespace) -> list[bytes]:
    names = photo_names(options.images)
    return [(options.images / names[number % len(names)]).read_bytes() for number in range(options.count)]


def _run(options: argparse.Namespace) -> dict[str, float]:
    """The job twice in one Spark application; the second counts."""
    shutil.rmtree(FOLDER / "run", ignore_errors=True)
    (FOLDER / "run").mkdir(parents=True)
    with served(options.images, is_counted=True) as server:
        urls = url_list(photo_names(options.images), server, 2 * options.count)
        (FOLDER / "run" / "warm_up.txt").write_text("\n".join(urls[: options.count]) + "\n")
        (FOLDER / "run" / "measured.txt").write_text("\n".join(urls[options.count :]) + "\n")
        command = ["./spark-submit.sh", "benchmarks/four_tasks.py", "--inside", str(FOLDER / "run")]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        requests = server.requests()
    work_s = warm_s(FOLDER / "run" / "measured")
    return {"core_s_per_image": work_s * CORES / options.count, "requests_per_image": requests / len(urls)}


def _run_inside(folder: Path) -> None:
    """In the driver: both jobs, below the folder where the shipped task files find models/."""
    from eoltag.spark.jobs.tag import tag_bundles
    from eoltag.spark.requests import TagRequest

    os.chdir(FOLDER)
    settings = Settings()
    fetch = settings.fetch.model_copy(update={"allow_private_hosts": True})
    with contextlib.redirect_stdout(sys.stderr):
        for name in ("warm_up", "measured"):
            tag_bundles(
                TagRequest(
                    bundles=[str(folder / f"{name}.txt")],
                    tasks=list(TASKS),
                    output=str(folder / name),
                    settings=settings.model_copy(update={"fetch": fetch}),
                    root=ROOT,
                    is_quiet=True,
                )
            )


if __name__ == "__main__":
    main()

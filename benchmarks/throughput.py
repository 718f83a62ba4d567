"""eoltag against the notebook loop, side by side: the same images, server, weights and machine in one run.

    make bench [ARGS="--images 10000 --folder PHOTOS --runs 3"]

Arm A, the loop of EOL's notebooks: get_file, load_img, predict, one image at a time. Arm B, the whole job through
./spark-submit.sh, start-up included, f32. The result is the ratio; the rates themselves hold for this machine only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from urllib.parse import quote

from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")


def main() -> None:
    """Run both arms alternately and print the table; the numbers also go to build/bench/throughput.json."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000, help="images for the job (default 10000: half a bundle)")
    parser.add_argument("--loop-images", type=int, default=150, help="images for the notebook loop (default 150)")
    parser.add_argument("--folder", type=Path, help="photos to serve; default: samples drawn here")
    parser.add_argument("--runs", type=int, default=3, help="runs of each arm, alternating (default 3)")
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = options.folder or _samples()
    model = BUILD / "mobilenet_v2"
    if not (model / "card.json").is_file():
        _python("-m", "benchmarks.models", str(model))
    results: dict[str, list[float]] = {"notebook loop": [], "eoltag": []}
    with served(folder) as base:
        urls = list(islice(_urls(folder, base), max(options.images, options.loop_images)))
        for _ in tqdm(range(options.runs), desc="runs", unit="run"):
            results["notebook loop"].append(_notebook_loop(urls[: options.loop_images], model))
            results["eoltag"].append(_job(urls[: options.images], model))
    _show(results, options.images, options.loop_images)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Base URL of a loopback server over `folder`, in a process of its own."""
    command = [sys.executable, "-m", "tests.loopback", "--root", str(folder), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1].rstrip("/")
        finally:
            server.terminate()


def _urls(folder: Path, base: str) -> Iterator[str]:
    """Endless distinct URLs: the folder's images again and again under new query strings."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)
    for number, path in enumerate(cycle(files)):
        yield f"{base}/files/{quote(str(path.relative_to(folder)))}?n={number}"


def _samples() -> Path:
    folder = BUILD / "samples"
    if not folder.is_dir():
        _python("-m", "train", "sample-data", str(folder), "--per-class", "40")
    return folder


def _notebook_loop(urls: list[str], model: Path) -> float:
    """Images per second of the loop alone, without the import and the model load."""
    with tempfile.TemporaryDirectory() as cache:
        listing = Path(cache) / "urls.json"
        listing.write_text(json.dumps(urls))
        return float(_python("-m", "benchmarks.notebook_loop", str(model / "model.keras"), str(listing), cache))


def _job(urls: list[str], model: Path) -> float:
    """Images per second of wall time, from the call of ./spark-submit.sh to its exit."""
    with tempfile.TemporaryDirectory() as folder:
        bundle, task = Path(folder) / "bundle.txt", Path(folder) / "bench.toml"
        bundle.write_text("\n".join(urls) + "\n")
        task.write_text(f'name = "bench"\n[models.main]\npackage = "{model}"\n')
        command = ["./spark-submit.sh", "jobs/tag_bundles.py", "--bundle", str(bundle), "--task", str(task)]
        command += ["--output", f"{folder}/out", "--allow-private-hosts", "--quiet", "--json"]
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.monotonic() - started
        summary = json.loads(done.stdout)
        assert summary["ok"] == len(urls), summary
        return len(urls) / seconds


def _python(*arguments: str) -> str:
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=quiet).stdout


def _show(results: dict[str, list[float]], images: int, loop_images: int) -> None:
    loop = median(results["notebook loop"])
    print(f"\n{'arm':<16}{'median img/s':>14}{'range':>18}{'ratio':>9}")
    for arm, rates in results.items():
        spread = f"{min(rates):.1f} to {max(rates):.1f}"
        print(f"{arm:<16}{median(rates):>14.1f}{spread:>18}{median(rates) / loop:>8.1f}x")
    print(f"eoltag: {images} images, start-up included; loop: {loop_images} images, start-up left out")
    document = {"images": images, "loop_images": loop_images, "images_per_s": results}
    (BUILD / "throughput.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()

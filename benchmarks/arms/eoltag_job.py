"""Arms F, G and H: the whole job through ./spark-submit.sh, start-up included. Its tables are the result.

F  --engine keras                       the pipeline alone, on the runtime of the other arms
G  --engine openvino --precision f32    the same scores from OpenVINO
H  --engine auto --precision auto       what the package proves to agree: bf16 or int8 where it does, else f32
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.arms.command import parser, read_job

ROOT: Final = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    """Run the job; its exit code."""
    arguments = eoltag_parser(__doc__).parse_args()
    settings = engine_settings(arguments)
    job = read_job(arguments, "pyspark", "openvino", "keras", "tensorflow-cpu", engine=settings)
    inputs = write_inputs(arguments.out / "inputs", job.urls, job.package, settings)
    command = ["./spark-submit.sh", "jobs/tag_bundles.py", "--bundle", str(inputs / "bundle.txt")]
    command += ["--task", str(inputs / "bench.toml"), "--config", str(inputs / "settings.toml")]
    command += ["--output", str(arguments.out), "--allow-private-hosts", "--quiet", "--json"]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    job.write_work(work_s=None)
    return code


def eoltag_parser(description: str | None) -> argparse.ArgumentParser:
    """What the cold and the warm arm take."""
    new = parser(description)
    new.add_argument("--engine", choices=("auto", "openvino", "keras"), default="auto")
    new.add_argument("--precision", choices=("auto", "f32", "bf16", "int8"), default="auto")
    return new


def engine_settings(options: argparse.Namespace) -> dict[str, str]:
    """The section [engine]."""
    return {"name": options.engine, "precision": options.precision}


def write_inputs(folder: Path, urls: list[str], package: Path, engine: dict[str, str]) -> Path:
    """bundle.txt, bench.toml and settings.toml in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.txt").write_text("\n".join(urls) + "\n")
    (folder / "bench.toml").write_text(f'name = "bench"\n[models.main]\npackage = "{package.resolve()}"\n')
    lines = [f"{key} = {json.dumps(value)}" for key, value in engine.items()]
    (folder / "settings.toml").write_text("\n".join(["[engine]", *lines]) + "\n")
    return folder


if __name__ == "__main__":
    sys.exit(main())

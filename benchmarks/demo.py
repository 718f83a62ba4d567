"""make demo: the whole way from nothing to tags, on this machine, in a few minutes.

Draws five kinds of picture, trains a small model, serves 300 pictures and a dozen broken ones on loopback, tags them
with the real job, and shows what to look at. Leaves build/demo/: model, bundle.txt, output with its report.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import duckdb

from tests.support.loopback import Loopback

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "build" / "demo"
TRAINING, SERVED, MODEL, BUNDLE, OUTPUT = (
    DEMO / name for name in ("training", "served", "model", "bundle.txt", "output")
)
PACKAGE = MODEL / "001" / "package"
HEADER = ("identifier", "dataObjectVersionID", "mimeType", "eolMediaURL", "ancestry")


def main() -> int:
    """Each step as its own command, shown before it runs."""
    DEMO.mkdir(parents=True, exist_ok=True)
    if not (PACKAGE / "card.json").is_file():
        shutil.rmtree(MODEL, ignore_errors=True)  # an attempt that was cut short, or the layout of an older eoltag
        _run("draw pictures to learn from", "-m", "train", "sample-data", str(TRAINING), "--seed", "1")
        _run(
            "train (about a minute)",
            "-m",
            "train",
            "fit",
            "conf/train/demo.toml",
            "--data",
            str(TRAINING),
            "--out",
            str(MODEL),
        )
    _run("draw other pictures to tag", "-m", "train", "sample-data", str(SERVED), "--seed", "2")
    shutil.rmtree(OUTPUT, ignore_errors=True)
    with Loopback(SERVED) as server:
        urls = _write_bundle(server)
        print(f"\n== serve {len(urls)} pictures at {server.url('/')}, some of them broken: {BUNDLE.relative_to(ROOT)}")
        job = ["./spark-submit.sh", "jobs/tag_bundles.py", "--bundle", str(BUNDLE.relative_to(ROOT)), "--task", "demo"]
        job += ["--output", str(OUTPUT.relative_to(ROOT)), "--config", "conf/jobs/demo.toml"]
        _call("tag them", job)
        asked = len(server.requests)
        _call("tag them again: nothing is left to do", job)
        fetched_again = len(server.requests) - asked
    print(f"\nrequests that the second run made: {fetched_again}")
    _query()
    shown = OUTPUT.relative_to(ROOT)
    print(f"\nLook at  {shown}/report/index.html\n    and  {shown}/tsv/demo/bundle_finaltags.tsv")
    print(f"    and  {PACKAGE.relative_to(ROOT)}/README.md")
    return 0


def _write_bundle(server: Loopback) -> list[str]:
    """A breakdown bundle of every picture, with the broken ones strewn in; the URLs."""
    pictures = sorted(path.relative_to(SERVED) for path in SERVED.rglob("*") if path.is_file())
    urls = [server.url(f"/files/{quote(str(path))}") for path in pictures]
    one, two = quote(str(pictures[0])), quote(str(pictures[-1]))
    away = f"http://127.0.0.2:{urlsplit(server.url('/')).port}/private.jpg"
    broken = [
        "/status/404/gone.jpg",
        "/status/410/gone.jpg",
        "/status/403/forbidden.jpg",
        f"/flaky/429/1/{one}?retry_after=1",
        f"/flaky/503/1/{two}",
        "/html/page.jpg",
        f"/truncated/{one}",
        "/endless/stream.jpg",
        f"/robots/noai/{one}",
        "/redirect-no-location/x.jpg",
        "/empty/x.jpg",
        f"/redirect/302/away.jpg?to={quote(away, safe='')}",
    ]
    for number, path in enumerate(broken):
        urls.insert(number * 20, server.url(path))
    urls.insert(7, "not-a-url")
    rows = [
        (
            f"EOL-media-demo-{number}",
            str(7000000 + number),
            "image/jpeg",
            url,
            "Life|Plantae" if number % 2 else "Life|Animalia",
        )
        for number, url in enumerate(urls)
    ]
    BUNDLE.write_text("\n".join("\t".join(row) for row in (HEADER, *rows)) + "\n", encoding="utf-8")
    return urls


def _query() -> None:
    sql = f"""
        SELECT tag, count(*) AS images, round(avg(confidence), 2) AS mean_confidence
        FROM read_parquet('{OUTPUT.relative_to(ROOT)}/tags/*/*.parquet', hive_partitioning = true)
        WHERE task = 'demo' AND outcome = 'ok' GROUP BY tag ORDER BY images DESC"""
    print(f"\n== ask the Parquet with DuckDB{sql}\n")
    os.chdir(ROOT)
    print(duckdb.sql(sql))


def _run(title: str, *arguments: str) -> None:
    _call(title, [sys.executable, *arguments])


def _call(title: str, command: list[str]) -> None:
    shown = " ".join(command).replace(sys.executable, "python").replace(f"{ROOT}/", "")
    print(f"\n== {title}\n$ {shown}", flush=True)
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    sys.exit(main())

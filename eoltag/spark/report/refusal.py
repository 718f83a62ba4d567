"""The page of a refused publication: its flips with the pictures that are kept here."""

from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import functions as F

from eoltag.publish.guards import Measured
from eoltag.publish.text import transitions
from eoltag.report.refusal import PAGE, TaskRefused, refusal_page
from eoltag.spark.tables.answers import latest_contents
from eoltag.spark.tables.facts import IMAGES, PIXELS, read_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.thumbnails import read_thumbnails


def write_refusal(output: Output, reasons: Sequence[str], measured: Mapping[str, Measured]) -> str:
    """Write report/refused.html; returns its path."""
    tasks = []
    for name, found in measured.items():
        if (compared := found.comparison) is not None and compared.flipped:
            moves = transitions(compared)
            tasks.append(TaskRefused(name, compared.version, compared.tagged, compared.flipped, moves, compared.flips))
    wanted = {flip.url for task in tasks for flip in task.flips}
    pictures = {one.url: one.picture.encode() for task in tasks for one in read_thumbnails(output, task.name)}
    known = {url: jpeg for url, jpeg in pictures.items() if url in wanted}
    page = refusal_page(reasons, tasks, {**_kept(output, wanted - known.keys()), **known})
    output.files.write_text(output.path(PAGE), page)
    return output.path(PAGE)


def _kept(output: Output, urls: Iterable[str]) -> dict[str, bytes]:
    """URL -> the stored copy of its picture, where there is one."""
    images, pixels, listed = read_facts(output, IMAGES), read_facts(output, PIXELS), sorted(urls)
    if not listed or images is None or pixels is None:
        return {}
    contents = latest_contents(images.where(F.col("eolMediaURL").isin(listed))).select("eolMediaURL", "content_sha256")
    rows = contents.join(pixels, on="content_sha256", how="inner").select("eolMediaURL", "image").collect()
    return {row.eolMediaURL: bytes(row.image) for row in rows}

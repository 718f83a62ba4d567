"""Audit what is published: draw images at random, and certify each tag from people's judgements of them.

eoltag audit OUTPUT --task NAME
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eoltag.audit.certificate import certificate, judged_images
from eoltag.audit.sample import Sample, draw_sample, read_publication, read_samples
from eoltag.audit.thresholds import Promise, thresholds_again
from eoltag.errors import DataError, ExitCode
from eoltag.judgements.record import agreed, read
from eoltag.local import files
from eoltag.local.streams import say
from eoltag.publish.manifest import CERTIFICATES
from eoltag.report.certificate import certificate_page, certificate_text

EXAMPLES = """\
examples: draw, judge, certify
  eoltag audit build/demo/output --task demo --images 200
  eoltag review build/demo/output --audit ID
  eoltag audit build/demo/output --task demo --max-error 0.05

Images are drawn from the rows of the current publication, at least 20 of each tag. Once they are judged, the
certificate says for each tag how often it is right (exact interval), and which share of all published images truly
shows it; by family, host and colour mode as well. It is written to OUTPUT/certificates/NAME.json and
OUTPUT/report/certificate_NAME.html, goes along with the next publication, and lapses when the models change.
--max-error adds the lowest confidence of each tag from which its error stays below that, for the rules of the task."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="eoltag audit",
        description="Draw published images at random, and certify from judgements how often each tag is right.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("output", type=Path, metavar="OUTPUT", help="the --output directory of the runs, on this machine")
    new.add_argument("--task", required=True, metavar="NAME", help="a task of the current publication")
    new.add_argument("--images", type=int, metavar="N", help="draw so many images for a new audit")
    new.add_argument("--seed", type=int, default=0, metavar="S", help="of the draw (default 0)")
    new.add_argument("--partial", action="store_true", help="certify though images of the audit are not judged yet")
    new.add_argument(
        "--max-error", type=float, metavar="E", help="choose thresholds again that keep the error of a tag below E"
    )
    new.add_argument(
        "--confidence", type=float, default=0.95, metavar="C", help="how sure that is to be (default 0.95)"
    )
    new.add_argument("--json", action="store_true", help="the certificate as JSON on stdout")
    return new


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, or certify; returns the exit code. Raises UsageError."""
    options = parser().parse_args(arguments)
    if options.images is not None:
        sample = draw_sample(options.output, options.task, _positive(options.images), options.seed)
        say(_drawn_text(options.output, sample))
    else:
        _certify(options)
    return int(ExitCode.DONE)


def _positive(images: int) -> int:
    if images < 1:
        raise DataError(f"--images: a whole number from 1 was wanted. Received: {images}")
    return images


def _share(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise DataError(f"{name}: wanted a share above 0 and below 1, such as 0.05. Received: {value:g}")
    return value


def _drawn_text(output: Path, sample: Sample) -> str:
    claims = [claim.tag for one in sample.images for claim in one.claims if claim.is_counted]
    counted = {tag: claims.count(tag) for tag in sample.rows}
    lines = [f"audit {sample.id}: {len(sample.images):,} images of publication {sample.publication} drawn"]
    lines += [f"  {tag}: {counted[tag]:,} of {rows:,} rows" for tag, rows in sample.rows.items()]
    lines += [
        f"judge them:   eoltag review {output} --audit {sample.id}",
        f"or by hand:   eoltag judgements {output} --audit {sample.id} --csv-out audit.csv",
        f"then certify: eoltag audit {output} --task {sample.task}",
    ]
    return "\n".join(lines)


def _certify(options: argparse.Namespace) -> None:
    """Write the certificate of the latest audit. Raises DataError where images are not judged yet."""
    output, task = options.output, options.task
    samples = read_samples(output, task)
    if not samples:
        raise DataError(
            f"{output}: no audit of task '{task}' was drawn yet; eoltag audit {output} --task {task} --images 200"
        )
    sample, current = samples[-1], read_publication(output)
    if current.tasks.get(task) is None or current.tasks[task].models != sample.models:
        raise DataError(
            f"audit {sample.id}: was drawn from other models than publication {current.version} has; draw a new one"
        )
    judged = judged_images(sample, agreed(read(output)))
    left = len(sample.images) - len(judged)
    if not judged or (left and not options.partial):
        raise DataError(
            f"audit {sample.id}: {left:,} of {len(sample.images):,} images are not judged yet, or people disagree on "
            f"them; eoltag review {output} --audit {sample.id} (or --partial)"
        )
    document = certificate(sample, judged, _promises(output, task))
    if options.max_error is not None:
        promise = Promise(_share("--max-error", options.max_error), _share("--confidence", options.confidence))
        document["thresholds"] = thresholds_again(judged, sample.missing, promise)
    files.write_text(str(output / CERTIFICATES / f"{task}.json"), json.dumps(document, indent=2) + "\n")
    page = output / "report" / f"certificate_{task}.html"
    files.write_text(str(page), certificate_page(document))
    say(json.dumps(document, indent=2) if options.json else f"{certificate_text(document)}\npage: {page}")


def _promises(output: Path, task: str) -> dict[str, Any]:
    """Label -> what its threshold promises, as the decision noted it."""
    try:
        note = json.loads(files.read_text(str(output / "decided" / f"{task}.json")))
        return dict(note["task"]["promises"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}

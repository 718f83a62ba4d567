"""`python -m train collect TERMS.csv --provider NAME --out DIR`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from eoltag.errors import DataError
from train.cli import Answer, Verb

TEACHING: Final = """\
TERMS.csv has the columns search_term, number_imgs, folder_name (or category) and train_val (or set: train, val, test).
A class may have several terms; a term that stands for two sets gives each its own images. Images are searched through
the provider's official API, one of each observation or post, and lie in DIR/SET/CLASS. DIR/manifest.parquet has the
source, page, licence and author of each, and of every image that could not be had the reason.
The same command goes on where an earlier one stopped; another --provider fills what is missing.

providers: commons (Wikimedia), inaturalist and gbif (names of taxa), openverse (may use OPENVERSE_CLIENT_ID and
OPENVERSE_CLIENT_SECRET, which raise its limits), eol (name of a taxon, number of a page, or file of a bundle), flickr
(needs FLICKR_API_KEY), google (needs GOOGLE_API_KEY and GOOGLE_CX; closed to new customers, ends in 2027), reddit
(subreddits; needs REDDIT_CLIENT_ID, REDDIT_CLIENT_SECRET and REDDIT_USERNAME, which Reddit gives on approval).
Credentials come from the environment. Each is asked within its published policy, its quotas kept over runs.
licences: cc0, pdm (public domain), by, by-sa, by-nc, by-nd, by-nc-sa, by-nc-nd.

examples:
  python -m train collect terms.csv --provider commons --out photos --licenses cc0,by,by-sa
  python -m train collect terms.csv --provider inaturalist --out photos --seed 1 --json
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("terms", type=Path, metavar="TERMS.csv", help="table of search terms")
    parser.add_argument("--provider", required=True, metavar="NAME", help="whom to ask")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, or to go on with")
    parser.add_argument("--licenses", metavar="CODES", help="only images under these, as cc0,by (default: any)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="deals a term's images to its sets (default 0)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings; [fetch] says who asks, how fast each host, how many at once",
    )
    parser.add_argument("--base-url", metavar="URL", help="ask a mirror of the API instead")
    parser.add_argument(
        "--allow-private-hosts", action="store_true", help="fetch images from private addresses as well"
    )


def _run(options: Namespace) -> Answer:
    import os

    from eoltag.settings import read_settings
    from train.collect.providers.licences import parse_licences
    from train.collect.search import collect, find_provider
    from train.collect.search_terms import read_terms

    licences = None if options.licenses is None else parse_licences(options.licenses)
    provider = find_provider(options.provider, licences, os.environ)
    if options.base_url is not None and urlsplit(options.base_url).scheme not in ("http", "https"):
        raise DataError(f"--base-url: wanted an http or https URL. Received: {options.base_url!r}")
    fetch = read_settings(options.config).fetch
    report = collect(
        read_terms(options.terms),
        provider,
        options.out,
        licences=licences,
        seed=options.seed,
        fetch=fetch.model_copy(update={"allow_private_hosts": True}) if options.allow_private_hosts else fetch,
        base_url=options.base_url,
    )
    return Answer(report, _text(report))


def _text(report: dict[str, Any]) -> str:
    lines = [f"{report['out']}: {report['images']} images"]
    for term in report["terms"]:
        note = "" if term["collected"] else ": none found"
        lines.append(
            f"  {term['search_term']} -> {term['set']}/{term['class']}: {term['collected']} of {term['wanted']}{note}"
        )
    if report["failed"]:
        failed = ", ".join(f"{count} {outcome}" for outcome, count in report["failed"].items())
        lines.append(f"not kept: {failed} (see manifest.parquet)")
    return "\n".join(lines)


VERB: Final = Verb("search images by terms, with their licences and authors", TEACHING, _arguments, _run)

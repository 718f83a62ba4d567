"""python -m docs.generator [--check]: fill the generated regions of all pages, or say which ones are out of date."""

import argparse
import sys
from pathlib import Path
from typing import Final

from docs.generator.markdown import filled
from docs.generator.parts import PARTS

ROOT: Final = Path(__file__).resolve().parents[2]
PLACES: Final = ("docs/**/*.md", "eoltag/architecture.md", "train/README.md")


def pages() -> list[Path]:
    """The pages that may hold generated regions."""
    return sorted(path for place in PLACES for path in ROOT.glob(place))


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 where --check finds a page that differs from the code."""
    parser = argparse.ArgumentParser(prog="python -m docs.generator", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a page is out of date")
    options = parser.parse_args(arguments)
    stale = []
    for path in pages():
        text = path.read_text(encoding="utf-8")
        made = filled(text, PARTS, str(path.relative_to(ROOT)))
        if made != text:
            stale.append(path.relative_to(ROOT))
            if not options.check:
                path.write_text(made, encoding="utf-8")
    for page in stale:
        print(f"{page}: {'out of date; run `make reference`' if options.check else 'made again'}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())

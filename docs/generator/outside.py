"""Pages of the site for files outside docs/: a hook of MkDocs, named in mkdocs.yml.

Pages link to files of the project as they lie in a checkout (`../../conf/tasks/demo.toml`). Each such file becomes a
page below project/: Markdown as it is, anything else as one block of code. Links are changed to lead there. Bars in
code in tables lose the backslash that GitHub wants before them.
"""

import posixpath
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = "project"
_LANGUAGES: Final = {".toml": "toml", ".py": "python", ".yaml": "yaml", ".cff": "yaml", ".conf": "properties"}
_LANGUAGES_OF: Final = {"Dockerfile": "docker", "Dockerfile.executor": "docker"}
_CODE: Final = re.compile(r"`[^`\n]+`")
_LINK: Final = re.compile(r"(?P<code>^```.*?^```$|`[^`\n]+`)|\]\((?P<path>[^)\s#:]+)(?P<rest>#[^)\s]*)?\)", re.M | re.S)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file that is linked to from docs/, and from these again."""
    waiting = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    known = {*waiting}
    while waiting:
        page = waiting.pop()
        for linked in _linked(page):
            if linked not in known and not linked.startswith("docs/") and (ROOT / linked).is_file():
                files.append(File.generated(config, _place(linked), content=_content(linked)))
                known.add(linked)
                waiting.append(linked)
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The text of a page, with its links to files outside docs/ led to their pages."""
    here = page.file.src_uri
    folder = posixpath.dirname(here) or "."

    def led(link: re.Match[str]) -> str:
        if link["code"]:
            return link.group()
        return f"]({posixpath.relpath(_place(_target(link, _source(here))), folder)}{link['rest'] or ''})"

    lines = _LINK.sub(led, markdown).split("\n")
    return "\n".join(_bare_bars(line) if line.startswith("|") else line for line in lines)


def _linked(page: str) -> list[str]:
    """The files that a page links to, as paths in the project."""
    if not page.endswith(".md"):
        return []
    text = (ROOT / page).read_text(encoding="utf-8")
    return [_target(link, page) for link in _LINK.finditer(text) if not link["code"]]


def _target(link: re.Match[str], page: str) -> str:
    """Where a link on a page leads, as a path in the project."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(link["path"])))


def _source(here: str) -> str:
    """The file of the project that a page of the site is made of."""
    return here.removeprefix(f"{FOLDER}/") if here.startswith(f"{FOLDER}/") else f"docs/{here}"


def _bare_bars(row: str) -> str:
    return _CODE.sub(lambda code: code.group().replace(r"\|", "|"), row)


def _place(target: str) -> str:
    """Where a file of the project lies in the site's sources."""
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return f"{FOLDER}/{target}" if target.endswith(".md") else f"{FOLDER}/{target}.md"


def _content(target: str) -> str:
    text = (ROOT / target).read_text(encoding="utf-8")
    if target.endswith(".md"):
        return text
    language = _LANGUAGES_OF.get(Path(target).name) or _LANGUAGES.get(Path(target).suffix, "text")
    return f"# {target}\n\n~~~~{language}\n{text.rstrip()}\n~~~~\n"

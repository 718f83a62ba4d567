"""Maps of the code: every folder and file of a package, with what its docstring says."""

import ast
from pathlib import Path
from typing import Final

from docs.generator.markdown import code, plain, table

ROOT: Final = Path(__file__).resolve().parents[2]


def code_map(package: str) -> str:
    """A section for each folder of a package, with a row for each file in it."""
    sections = []
    for folder in sorted({path.parent for path in (ROOT / package).rglob("*.py")}):
        files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
        parts = [f"### {code(f'{folder.relative_to(ROOT)}/')}", plain(summary(folder / "__init__.py"))]
        if files:
            parts.append(table(("file", "what is in it"), [(code(path.name), plain(summary(path))) for path in files]))
        sections.append("\n\n".join(part for part in parts if part))
    return "\n\n".join(sections)


def summary(path: Path) -> str:
    """The first paragraph of a module's docstring. Raises ValueError where a module has none."""
    content = path.read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(content)) or "").partition("\n\n")[0]
    if content.strip() and not first:
        raise ValueError(f"{path.relative_to(ROOT)}: a docstring was wanted; came none")
    return first

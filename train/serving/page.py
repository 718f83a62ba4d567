"""The drag-and-drop page: one file that needs nothing from any other machine."""

import hashlib
import re
from base64 import b64encode
from pathlib import Path
from typing import Final

PAGE_FILE: Final = Path(__file__).with_name("page.html")


def read_page() -> tuple[str, dict[str, str]]:
    """The page, and headers that let the browser run and load what the page itself holds and nothing else."""
    text = PAGE_FILE.read_text(encoding="utf-8")
    (style,), (script,) = (re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("style", "script"))
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; img-src blob: data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return text, {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}


def _digest(text: str) -> str:
    """As Content Security Policy names an inline block."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

"""What a search depends on: written into its study at the start, and compared whenever the search is continued."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import optuna

from eoltag.errors import SettingsError
from train.settings import FitSettings
from train.tune.space import SearchSpace

IDENTITY: Final = "identity"
"""Attribute of the study."""


def check_identity(study: optuna.Study, search: SearchSpace, digest: str, folder: Path) -> None:
    """Raises SettingsError naming the first difference where the study belongs to another search.

    digest: of the images.
    """
    wanted = _identity(search, digest)
    known = study.user_attrs.get(IDENTITY)
    if known is None:
        study.set_user_attr(IDENTITY, wanted)
        return
    begun, now = _flat(known), _flat(json.loads(json.dumps(wanted)))
    for key in sorted({*begun, *now}):
        if begun.get(key) != now.get(key):
            raise SettingsError(
                f"{folder}: was begun with {key} = {_shown(begun, key)}, and goes on only with that. "
                f"Received: {_shown(now, key)}"
            )


def _identity(search: SearchSpace, digest: str) -> dict[str, Any]:
    """All that a result depends on."""
    return {
        **search.file.model_dump(mode="json", exclude={"base"}),
        "base": search.base.model_dump(mode="json"),
        "files": {key: _digest(search.base, key) for key in ("weights", "class_weights")},
        "images": digest,
    }


def _digest(settings: FitSettings, key: str) -> str | None:
    path = Path(getattr(settings, key))
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _flat(content: Any, key: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted keys."""
    if not isinstance(content, dict) or not content:
        return {key: content}
    found = {}
    for name, value in content.items():
        found.update(_flat(value, f"{key}.{name}" if key else name))
    return found


def _shown(content: Mapping[str, Any], key: str) -> str:
    return json.dumps(content[key], ensure_ascii=False) if key in content else "nothing"

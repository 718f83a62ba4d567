"""Settings, task files and cards as tables: every key with its default, range and meaning."""

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.generator.docstrings import meaning
from docs.generator.markdown import code, plain, table


def settings_table(model: type[BaseModel], prefix: str = "") -> str:
    """The keys of a model, those of nested models with their full names."""
    rows = [
        (code(key), default_of(field), range_of(field), plain(meaning(owner, field_name)))
        for key, field_name, owner, field in keys_of(model, prefix)
    ]
    return table(("key", "default", "range", "meaning"), rows)


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, type[BaseModel], FieldInfo]]:
    """(full key, field name, model that has it, field) of every setting."""
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None:
            yield f"{prefix}{name}", name, model, field
        else:
            named = f"{name}.NAME." if get_origin(field.annotation) is dict else f"{name}."
            yield from keys_of(inner, f"{prefix}{named}")


def default_of(field: FieldInfo) -> str:
    """The default as TOML writes it; "required" where there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return code(_toml(value)) if value is not None else "none"


def range_of(field: FieldInfo) -> str:
    """What values a setting takes."""
    kind, arguments = get_origin(field.annotation), get_args(field.annotation)
    if kind is Literal:
        return ", ".join(code(str(value)) for value in arguments)
    if field.annotation is bool:
        return "`true`, `false`"
    if kind in (tuple, dict):
        noun, inner = ("list", arguments[0]) if kind is tuple else ("table", arguments[1])
        return noun if inner is Any else _several(noun, range_of(FieldInfo.from_annotation(inner)))
    bounds = _bounds(field)
    if field.annotation is str or str in arguments:
        return f"1 to {bounds['MaxLen']:,} letters" if "MaxLen" in bounds else "text"
    low = f"{bounds['Ge']:,}" if "Ge" in bounds else f"above {bounds['Gt']:,}" if "Gt" in bounds else ""
    high = f"{bounds['Le']:,}" if "Le" in bounds else f"below {bounds['Lt']:,}" if "Lt" in bounds else ""
    if low and high:
        return f"{low} to {high}"
    return f"{low} or more" if "Ge" in bounds else low or "number"


def _several(noun: str, one: str) -> str:
    return f"{noun} of {one}s" if one in ("text", "number", "table") else f"{noun}; each {one}"


def _bounds(field: FieldInfo) -> dict[str, Any]:
    """Name of the bound -> its value, as `Ge` -> 0."""
    names = {"Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt", "MaxLen": "max_length"}
    kinds = {type(bound).__name__: bound for bound in field.metadata}
    return {kind: getattr(bound, names[kind]) for kind, bound in kinds.items() if kind in names}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a setting holds: itself, or as values of a table or list."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(
            f"{key if key.isidentifier() else json.dumps(key)} = {_toml(one)}" for key, one in value.items()
        )
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:_}" if value == int(value) and abs(value) >= 10_000 else f"{value:g}"
    return json.dumps(value, ensure_ascii=False)

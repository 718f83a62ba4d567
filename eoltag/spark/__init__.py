"""Everything about Spark. Two functions on DataFrames are offered here: tag_images and classify_images."""

from importlib import import_module
from typing import Any

__all__ = ["classify_images", "tag_images"]


def __getattr__(name: str) -> Any:
    """The two functions when they are asked for: whoever imports a request needs no pyspark."""
    if name in __all__:
        return getattr(import_module(f"{__name__}.frames.functions"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

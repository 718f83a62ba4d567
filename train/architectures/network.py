"""Network: the model that every architecture gives, and where it can be cut."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Network:
    """A built network. Its parts share their weights."""

    model: Any
    """keras.Model: uint8 RGB (N, H, W, 3) to logits (N, C), with scaling inside; the head itself where the base is not
    ours to run."""
    base: Any = None
    """keras.Model from keras.applications, without its top; None in networks trained from nothing."""
    features: Any = None
    """keras.Model: uint8 RGB (N, H, W, 3) to pooled features (N, D)."""
    head: Any = None
    """keras.Model: pooled features (N, D) to logits (N, C)."""
    trunk: Any = None
    """keras.Model: uint8 RGB (N, H, W, 3) to the maps (N, h, w, d) that the part to be fine-tuned takes; None where
    that part takes more than one, or there is none."""
    tail: Any = None
    """keras.Model: those maps to pooled features (N, D)."""

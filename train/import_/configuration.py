"""Keras configurations as other versions wrote them, turned into what Keras 3 reads and every engine runs."""

from collections.abc import Iterator
from typing import Any, Final

AUGMENTATIONS: Final = frozenset(
    f"Random{kind}"
    for kind in (
        "Brightness", "ColorDegeneration", "ColorJitter", "Contrast", "ElasticTransform", "Erasing", "Flip",
        "GaussianBlur", "Grayscale", "Height", "Hue", "Invert", "Perspective", "Posterization", "Rotation",
        "Saturation", "Sharpness", "Shear", "Translation", "Width", "Zoom",
    )
)  # fmt: skip
"""Layers that change pictures in training only. In use they pass them on; no runtime but Keras knows them."""

HALVES: Final = ("bfloat16", "float16")
_PUBLIC: Final = {"Functional": "Model", "Model": "Model", "Sequential": "Sequential"}
"""Names of models in files of Keras 2 -> the class in `keras`; all others are in `keras.layers`."""
_OF_KERAS_2: Final = ("tf_keras", "keras.engine", "keras.src.engine", "tensorflow")
"""Beginnings of modules that a file of late Keras 2 names and Keras 3 has not."""
_WITHOUT_GROUPS: Final = ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
"""Keras 2 wrote the setting of plain convolutions for these as well."""


def translated(model: dict[str, Any], *, keeps_precision: bool = False) -> dict[str, Any]:
    """The same network for Keras 3, without augmentation.

    keeps_precision: layers compute in 16 bits where the file says so; else all compute in float32.
    """
    found: dict[str, Any] = _with_dtypes(_layer(model), is_float32=not keeps_precision)
    return found


def half_precision(value: Any) -> str | None:
    """The name of the 16-bit numbers that some layer of a configuration computes in; None where there is none."""
    for policy in _policies(value):
        for name in HALVES:
            if policy.removeprefix("mixed_") == name:
                return name
    return None


def class_names(value: Any) -> Iterator[str]:
    """Every class_name in a configuration, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from class_names(item)
    elif isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            yield value["class_name"]
        for item in value.values():
            yield from class_names(item)


def _layer(entry: dict[str, Any]) -> dict[str, Any]:
    """A layer, or a model and the layers in it."""
    kind, config = str(entry.get("class_name")), entry.get("config")
    if not isinstance(config, dict):
        return entry
    config = dict(config)
    if kind in AUGMENTATIONS:
        kind, config = "Identity", {key: config[key] for key in ("name", "dtype") if key in config}
    if isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    if kind in _WITHOUT_GROUPS:
        config.pop("groups", None)
    if kind == "InputLayer" and "batch_input_shape" in config:
        config["batch_shape"] = config.pop("batch_input_shape")
    if isinstance(config.get("layers"), list):
        config["layers"] = [_layer(one) for one in _with_input(config["layers"], kind)]
    elif isinstance(config.get("layer"), dict):  # one that wraps another
        config["layer"] = _layer(config["layer"])
    module = str(entry.get("module") or "")
    if not module or kind == "Identity" or module.startswith(_OF_KERAS_2):
        public = _PUBLIC.get(kind)
        module, kind = ("keras", public) if public else ("keras.layers", kind)
        return {**entry, "module": module, "class_name": kind, "config": config, "registered_name": None}
    return {**entry, "config": config}


def _with_input(layers: list[Any], kind: str) -> list[Any]:
    """A Sequential of old names its input on its first layer, which Keras 3 no longer takes there."""
    if kind != "Sequential" or not layers or layers[0].get("class_name") == "InputLayer":
        return layers
    config = dict(layers[0].get("config", {}))
    shape = config.pop("batch_input_shape", None)
    if shape is None:
        return layers
    source = {"class_name": "InputLayer", "config": {"batch_input_shape": shape, "name": f"{config.get('name')}_input"}}
    return [source, {**layers[0], "config": config}, *layers[1:]]


def _with_dtypes(value: Any, *, is_float32: bool) -> Any:
    """The configuration with every 16-bit dtype spelled as its name, or replaced by float32."""
    if isinstance(value, list):
        return [_with_dtypes(item, is_float32=is_float32) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _with_dtypes(item, is_float32=is_float32) for key, item in value.items()}
    for policy in _policies({"dtype": value.get("dtype")}):
        if half_precision({"dtype": policy}):
            changed["dtype"] = "float32" if is_float32 else policy
    return changed


def _policies(value: Any) -> Iterator[str]:
    """Every dtype, as its name, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from _policies(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "dtype" and isinstance(item, str):
                yield item
            elif key == "dtype" and isinstance(item, dict):
                yield str(item.get("config", {}).get("name"))
            else:
                yield from _policies(item)

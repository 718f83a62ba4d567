"""TensorFlow SavedModels, EOL's published ones among them, to OpenVINO by its own reader: no Keras 2 is needed."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import DataError
from eoltag.model.card import OPENVINO_FILES
from eoltag.records import Pixels, Scores
from train.import_.foreign import Foreign, ImportRequest, input_size
from train.import_.outputs import check_outputs, logits_in_openvino
from train.import_.scaling import scale_array, scale_in_openvino
from train.package.runtimes import name_anew

SIGNATURE: Final = "serving_default"
REFUSED_OPERATIONS: Final = frozenset(
    {"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "LoadLibrary"}
)
"""They run Python or touch files; no classifier needs them."""


def open_saved_model(request: ImportRequest) -> Foreign:
    """The model. Raises DataError where it has more than one input or output, or cannot be read."""
    import openvino as ov

    source = request.source
    _check_operations(source)
    try:
        network = ov.Core().read_model(source)
    except RuntimeError as problem:  # all that OpenVINO ever raises
        reason = str(problem).strip().splitlines()[-1]
        raise DataError(f"{source}: OpenVINO cannot read this SavedModel ({reason})") from problem
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise DataError(
            f"{source}: wanted a model with one input and one output. Received: {len(network.inputs)} inputs, "
            f"{len(network.outputs)} outputs"
        )
    height, width = input_size(_shape(network.input(0)), request)
    network.reshape([-1, height, width, 3])
    check_outputs(_shape(network.output(0)), request)
    return Foreign(
        kind="TensorFlow SavedModel",
        height=height,
        width=width,
        scores=lambda pixels: _scores(source, pixels, request),
        write=lambda folder: _write(network, folder, request),
    )


def _write(network: Any, folder: Path, request: ImportRequest) -> None:
    """openvino/model.xml|bin: uint8 (N, H, W, 3) -> logits (N, C)."""
    import openvino as ov

    xml = folder / OPENVINO_FILES[0]
    xml.parent.mkdir(parents=True, exist_ok=True)
    scaled = scale_in_openvino(network, request.scaling)
    complete = _with_logits(scaled, request)
    name_anew(complete)
    ov.save_model(complete, xml, compress_to_fp16=False)


def _with_logits(network: Any, request: ImportRequest) -> Any:
    """The network with logits in place of its output."""
    import openvino as ov

    scores = network.get_results()[0].input_value(0)
    logits = logits_in_openvino(scores, _shape(network.output(0))[1], request)
    return ov.Model([logits], network.get_parameters(), "imported")


def _scores(source: Path, pixels: Pixels, request: ImportRequest) -> Scores:
    """What TensorFlow itself makes of the images, one by one, since a SavedModel may fix its batch."""
    import tensorflow as tf

    try:
        call = tf.saved_model.load(str(source)).signatures[SIGNATURE]
    except (OSError, KeyError, ValueError, RuntimeError) as problem:
        reason = str(problem).strip().splitlines()[0]
        raise DataError(f"{source}: TensorFlow finds no '{SIGNATURE}' in this SavedModel ({reason})") from problem
    ((name, spec),) = call.structured_input_signature[1].items()
    scaled = scale_array(pixels, request.scaling)
    rows = [call(**{name: tf.cast(image[None], spec.dtype)}) for image in scaled]
    return np.concatenate([np.asarray(next(iter(row.values())), np.float32) for row in rows])


def _check_operations(source: Path) -> None:
    """Raises DataError for a graph that reaches beyond its images."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((source / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as problem:
        raise DataError(f"{source}: saved_model.pb cannot be read ({problem})") from problem
    for graph in saved.meta_graphs:
        nodes = [graph.graph_def.node, *(function.node_def for function in graph.graph_def.library.function)]
        found = sorted({node.op for part in nodes for node in part} & REFUSED_OPERATIONS)
        if found:
            raise DataError(
                f"{source}: holds the operations {', '.join(found)}, which reach beyond its images; refused"
            )


def _shape(port: Any) -> tuple[int | None, ...]:
    """Of an input or output; None for what is not fixed."""
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        return ()
    return tuple(int(side.get_length()) if side.is_static else None for side in shape)

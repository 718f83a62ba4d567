"""The arms of `make bench`: each is a program of its own, with the same command line and the same kind of result."""

from dataclasses import dataclass
from typing import Final, Literal

Environment = Literal["ray", "daft", "img2dataset"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to tag the images of a list."""

    key: str
    title: str
    module: str
    options: tuple[str, ...] = ()
    environment: Environment | None = None
    """Whose packages it needs: benchmarks/peers/NAME.txt."""
    is_slow: bool = False
    """Gets fewer images, since its rate does not depend on their number."""
    is_warm: bool = False
    """Its start-up is not part of its figures."""

    @property
    def is_submitted(self) -> bool:
        """Runs through ./spark-submit.sh rather than by python -m."""
        return self.module == "eoltag_warm"


_KERAS: Final = ("--engine", "keras")
_KERAS_F32: Final = (*_KERAS, "--precision", "f32")
_F32: Final = ("--engine", "openvino", "--precision", "f32")
_AUTO: Final = ("--engine", "auto", "--precision", "auto")

ARMS: Final = {
    arm.key: arm
    for arm in (
        Arm("A", "notebook loop", "notebook_loop", is_slow=True),
        Arm("B", "img2dataset, then Keras predict", "img2dataset", environment="img2dataset"),
        Arm("C", "fetch UDF + predict_batch_udf, Keras", "spark_udf", is_slow=True),
        Arm("D", "Ray Data, Keras", "ray_data", _KERAS, environment="ray"),
        Arm("D2", "Ray Data, OpenVINO f32", "ray_data", ("--engine", "openvino"), environment="ray"),
        Arm("E", "Daft, Keras", "daft_udf", _KERAS, environment="daft"),
        Arm("E2", "Daft, OpenVINO f32", "daft_udf", ("--engine", "openvino"), environment="daft"),
        Arm("F", "eoltag, Keras", "eoltag_job", _KERAS_F32),
        Arm("G", "eoltag f32", "eoltag_job", _F32),
        Arm("H", "eoltag auto", "eoltag_job", _AUTO),
        Arm("Fw", "eoltag, Keras, warm", "eoltag_warm", _KERAS_F32, is_warm=True),
        Arm("Gw", "eoltag f32, warm", "eoltag_warm", _F32, is_warm=True),
        Arm("Hw", "eoltag auto, warm", "eoltag_warm", _AUTO, is_warm=True),
    )
}
"""D2 and E2 give the peers eoltag's runtime, as F gives eoltag theirs: pipeline and runtime can be told apart."""

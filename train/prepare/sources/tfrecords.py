"""TFRecords of decathloncanada/image-classification: image files with a number for their class, in shards.

Format: `NN-COUNT.tfrec`; each record a tf.train.Example with the features `image` (the bytes of a JPEG) and `label`
(int64), the number of the class in the sorted names of the folders that it was made from.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError
from train.cli import start_keras
from train.images.files import visible_files
from train.prepare.sources.candidate import Candidate, Offer

SUFFIXES: Final = (".tfrec", ".tfrecord", ".tfrecords")


def read_tfrecords(folder: Path, labels: Sequence[str], work: Path) -> Offer:
    """Every image, as a file below `work`, under the label of its number. Raises DataError."""
    shards = [path for path in visible_files(folder) if path.suffix.lower() in SUFFIXES]
    if not shards:
        raise DataError(f"{folder}: wanted files that end in {', '.join(SUFFIXES)}. Received: none")
    candidates = []
    for shard in shards:
        name = shard.relative_to(folder).as_posix()
        for number, (image, target) in enumerate(_records(shard)):
            if not 0 <= target < len(labels):
                raise DataError(f"{shard}: record {number} has the label {target}; wanted 0 to {len(labels) - 1}")
            file = work / name / f"{number:06d}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(image)
            candidates.append(Candidate(labels[target], labels[target], file, f"{name}/{number:06d}"))
    return Offer(tuple(candidates))


def _records(shard: Path) -> Iterator[tuple[bytes, int]]:
    """Image and class of each record. Raises DataError."""
    start_keras()  # TensorFlow, without its greetings
    import tensorflow as tf

    try:
        for record in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator():
            features: Any = tf.train.Example.FromString(record).features.feature
            (image,), (target,) = features["image"].bytes_list.value, features["label"].int64_list.value
            yield image, target
    except Exception as problem:  # TensorFlow's, protobuf's, and ValueError for other features
        reason = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise DataError(
            f"{shard}: wanted records with the features image and label, as decathlon's TfrecordsGenerator writes "
            f"them ({reason[:200]})"
        ) from problem

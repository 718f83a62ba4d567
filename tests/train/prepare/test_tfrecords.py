"""`prepare tfrecords`: decathlon's shards, written by TensorFlow as its TfrecordsGenerator writes them."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.pictures import encoded, picture
from train.__main__ import main
from train.images.manifest import FILE_NAME, read_manifest


def write_shards(folder: Path, targets: list[int], feature: str = "image") -> Path:
    """Two files, half of the images in each."""
    import tensorflow as tf

    folder.mkdir()
    half = len(targets) // 2
    for shard, numbers in enumerate((range(half), range(half, len(targets)))):
        with tf.io.TFRecordWriter(str(folder / f"{shard:02d}-{len(numbers)}.tfrec")) as writer:
            for number in numbers:
                image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded(picture(number))]))
                target = tf.train.Feature(int64_list=tf.train.Int64List(value=[targets[number]]))
                features = tf.train.Features(feature={feature: image, "label": target})
                writer.write(tf.train.Example(features=features).SerializeToString())
    return folder


def prepare(source: Path, out: Path, *more: str) -> int:
    return main(["prepare", "tfrecords", str(source), "--labels", "hockey,soccer", "--out", str(out), *more])


def test_each_record_is_an_image_under_the_label_of_its_number(tmp_path: Path) -> None:
    assert prepare(write_shards(tmp_path / "shards", [0, 1, 1, 0, 1, 1]), tmp_path / "set") == 0
    rows = read_manifest(tmp_path / "set" / FILE_NAME)
    assert Counter(row.label for row in rows) == {"hockey": 2, "soccer": 4}
    assert [row.source_path for row in rows if row.label == "hockey"] == ["00-3.tfrec/000000", "01-3.tfrec/000000"]
    first = tmp_path / "set" / str(rows[0].path)
    assert first.read_bytes() == encoded(picture(0))


@pytest.mark.parametrize(
    ("targets", "feature", "said"),
    [
        ([0, 1, 2, 0], "image", "01-2.tfrec: record 0 has the label 2; wanted 0 to 1"),
        ([0, 1, 0, 1], "picture", "wanted records with the features image and label"),
    ],
)
def test_records_of_another_kind_are_told_in_one_line(
    targets: list[int], feature: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_shards(tmp_path / "shards", targets, feature)
    assert prepare(source, tmp_path / "set") == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ")
    assert said in line
    assert not (tmp_path / "set").exists()


def test_a_folder_without_shards_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert prepare(tmp_path / "empty", tmp_path / "set") == 2
    assert "wanted files that end in .tfrec, .tfrecord, .tfrecords. Received: none" in capsys.readouterr().err

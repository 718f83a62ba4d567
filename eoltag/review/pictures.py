"""Pictures for the page: the kept copy of an image, or its thumbnail."""

from pathlib import Path

import pyarrow.dataset as ds


class Pictures:
    """What an output directory keeps of pictures."""

    def __init__(self, output: Path) -> None:
        self._pixels = self._open(output / "pixels")
        self._thumbnails = self._open(output / "thumbnails")

    def find(self, content: str, url: str | None) -> bytes | None:
        """JPEG or WebP bytes; None where nothing is kept of the picture. url: None where a thumbnail is too small."""
        kept = self._first(self._pixels, ds.field("content_sha256") == content, "image")
        if kept is not None or url is None:
            return kept
        return self._first(self._thumbnails, ds.field("eolMediaURL") == url, "jpeg")

    @staticmethod
    def _open(folder: Path) -> ds.Dataset | None:
        return ds.dataset(folder, format="parquet") if folder.is_dir() else None

    @staticmethod
    def _first(dataset: ds.Dataset | None, condition: ds.Expression, column: str) -> bytes | None:
        if dataset is None:
            return None
        table = dataset.to_table(columns=[column], filter=condition)
        return bytes(table[column][0].as_py()) if table.num_rows else None


def media_type(data: bytes) -> str:
    """That of a kept picture."""
    return "image/webp" if data[:4] == b"RIFF" else "image/jpeg"

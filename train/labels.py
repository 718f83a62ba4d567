"""Labels of a model as a user names them: A,B,C, or a file with one a line."""

from pathlib import Path

from eoltag.errors import DataError


def read_labels(text: str) -> tuple[str, ...]:
    """Labels from A,B,C or from a file with one a line. Raises DataError."""
    path = Path(text)
    if path.is_file():
        try:
            parts = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as problem:
            raise DataError(f"--labels: {path} cannot be read as text ({problem})") from problem
        labels = tuple(line.strip() for line in parts if line.strip())
    else:
        labels = tuple(part.strip() for part in text.split(","))
    if len(labels) < 2 or not all(labels):
        raise DataError(f"--labels: wanted two labels or more as A,B,C or a file with one a line. Received: {text!r}")
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise DataError(f"--labels: every label once was wanted. Received twice: {', '.join(twice)}")
    return labels

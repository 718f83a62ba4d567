"""Files of any file system that Spark reads, through Hadoop's FileSystem in the driver."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, ParamSpec, TypeVar

from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import DataFrameReader, SparkSession

from eoltag.local import files as local_files
from eoltag.local.files import HALF_WRITTEN

P = ParamSpec("P")
R = TypeVar("R")


_RENAMES_IN_ONE_STEP: Final = ("hdfs", "viewfs", "abfs", "abfss")
"""Schemes of file systems that rename a file over another one, or a folder, in one step; object stores copy."""


def _os_errors(method: Callable[P, R]) -> Callable[P, R]:
    """Java's exceptions as OSError with Java's one-line message; a path of this machine goes past Java."""
    by_python: Callable[P, R] | None = getattr(local_files, method.__name__, None)

    @wraps(method)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        if by_python is not None and any(isinstance(one, str) and is_local(one) for one in args[1:]):
            return by_python(*args[1:], **kwargs)  # type: ignore[arg-type]
        try:
            return method(*args, **kwargs)
        except Py4JJavaError as problem:
            is_missing = "java.io.FileNotFoundException" in str(problem.java_exception.toString())
            kind = FileNotFoundError if is_missing else OSError
            raise kind(str(problem.java_exception.getMessage())) from problem
        except (
            CapturedException
        ) as problem:  # what pyspark makes of Java's IllegalArgumentException, such as for a host
            raise OSError(str(problem).splitlines()[0]) from problem

    return called


def is_local(path: str) -> bool:
    """Whether Python reads and writes it itself: Files.absolute leaves such paths without a scheme."""
    return path.startswith("/")


def renames_in_one_step(path: str) -> bool:
    """Whether a file or folder there takes another place in one step; object stores copy, file by file."""
    return is_local(path) or path.partition("://")[0] in _RENAMES_IN_ONE_STEP


def reader(session: SparkSession) -> DataFrameReader:
    """Reads paths letter by letter, where Spark takes `[ ]`, `{ }`, `*` and a backslash for patterns (SPARK-32810)."""
    return session.read.option("__globPaths__", "false")


@dataclass(frozen=True, slots=True)
class Files:
    """Paths are as `absolute` gives them: /data/out, hdfs://..., s3a://... Every method may raise OSError."""

    session: SparkSession

    def _open(self, path: str) -> tuple[Any, Any]:
        jvm: Any = self.session._jvm
        jsc: Any = self.session._jsc
        hadoop_path = jvm.org.apache.hadoop.fs.Path(path)
        return hadoop_path.getFileSystem(jsc.hadoopConfiguration()), hadoop_path

    @_os_errors
    def absolute(self, path: str) -> str:
        """The path with its scheme, as Spark would resolve it; below this process's directory where files are local."""
        jvm: Any = self.session._jvm
        jsc: Any = self.session._jsc
        default = jvm.org.apache.hadoop.fs.FileSystem.getDefaultUri(jsc.hadoopConfiguration())
        if "://" not in path and default.getScheme() == "file":
            return str(Path(path).absolute())
        system, hadoop_path = self._open(path)
        return str(system.makeQualified(hadoop_path).toString())

    @_os_errors
    def exists(self, path: str) -> bool:
        """There is a file or directory."""
        system, hadoop_path = self._open(path)
        return bool(system.exists(hadoop_path))

    @_os_errors
    def names(self, path: str) -> list[str]:
        """Names in a directory, sorted; none where there is no such directory."""
        system, hadoop_path = self._open(path)
        if not system.exists(hadoop_path):
            return []
        return sorted(str(status.getPath().getName()) for status in system.listStatus(hadoop_path))

    def partitions(self, path: str) -> list[str]:
        """Names of the partition folders (KEY=VALUE) in a directory, sorted."""
        return [name for name in self.names(path) if "=" in name]

    def parts(self, path: str) -> list[str]:
        """Names of the data files in a directory, sorted."""
        return [name for name in self.names(path) if name.startswith("part-")]

    @_os_errors
    def size(self, path: str) -> tuple[int, int]:
        """Files in a directory and in all below, and their bytes together."""
        system, hadoop_path = self._open(path)
        if not system.exists(hadoop_path):
            return 0, 0
        summary = system.getContentSummary(hadoop_path)
        return int(summary.getFileCount()), int(summary.getLength())

    @_os_errors
    def matches(self, pattern: str) -> list[str]:
        """Full paths of the files that a path, directory or glob names."""
        system, hadoop_path = self._open(pattern)
        found: list[str] = []
        for status in system.globStatus(hadoop_path) or []:
            entries = system.listStatus(status.getPath()) if status.isDirectory() else [status]
            found += [str(entry.getPath().toString()) for entry in entries if entry.isFile()]
        return sorted(found)

    @_os_errors
    def make_folder(self, path: str) -> None:
        """Make a directory and its parents."""
        system, hadoop_path = self._open(path)
        system.mkdirs(hadoop_path)

    @_os_errors
    def move(self, source: str, target: str) -> None:
        """Rename, making the target's parent first. Raises OSError where the file system refuses."""
        system, from_path = self._open(source)
        to_path = self._open(target)[1]
        system.mkdirs(to_path.getParent())
        if not system.rename(from_path, to_path):
            raise OSError(f"could not move {source} to {target}")

    @_os_errors
    def delete(self, path: str) -> None:
        """Delete a file, or a directory with everything below; nothing where there is nothing."""
        system, hadoop_path = self._open(path)
        system.delete(hadoop_path, True)

    @_os_errors
    def delete_empty(self, path: str) -> None:
        """Delete a directory if nothing is in it."""
        system, hadoop_path = self._open(path)
        if system.exists(hadoop_path) and not len(system.listStatus(hadoop_path)):
            system.delete(hadoop_path, False)

    @_os_errors
    def modified(self, path: str) -> float:
        """When a file was last written, in seconds, by the clock of the file system."""
        system, hadoop_path = self._open(path)
        return float(system.getFileStatus(hadoop_path).getModificationTime()) / 1000

    def exchange(self, one: str, other: str) -> bool:
        """Let two folders change places in one step; whether the file system can do so."""
        return is_local(one) and local_files.exchange(one, other)

    @_os_errors
    def read_text(self, path: str) -> str:
        """The text of a small file."""
        system, hadoop_path = self._open(path)
        jvm: Any = self.session._jvm
        stream = system.open(hadoop_path)
        try:
            return str(jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    @_os_errors
    def write_text(self, path: str, text: str) -> None:
        """Write a small file. Whoever reads it, at whatever moment, finds the old text or the new one."""
        has_rename = renames_in_one_step(path)
        system, hadoop_path = self._open(f"{path}{HALF_WRITTEN}" if has_rename else path)
        stream = system.create(hadoop_path, True)  # an object store shows the new object when the stream is closed
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()
        if has_rename:
            self.replace(f"{path}{HALF_WRITTEN}", path)

    @_os_errors
    def replace(self, source: str, target: str) -> None:
        """Put a file in the place of another one, which is there until then: one step, where the file system has it."""
        jvm: Any = self.session._jvm
        jsc: Any = self.session._jsc
        (system, from_path), to_path = self._open(source), self._open(target)[1]
        system.mkdirs(to_path.getParent())
        if not renames_in_one_step(target):
            jvm.org.apache.hadoop.fs.FileUtil.copy(
                system, from_path, system, to_path, True, True, jsc.hadoopConfiguration()
            )
            return
        gateway: Any = self.session.sparkContext._gateway
        options = gateway.new_array(jvm.org.apache.hadoop.fs.Options.Rename, 1)
        options[0] = jvm.org.apache.hadoop.fs.Options.Rename.OVERWRITE
        context = jvm.org.apache.hadoop.fs.FileContext.getFileContext(to_path.toUri(), jsc.hadoopConfiguration())
        context.rename(from_path, to_path, options)

    @_os_errors
    def upload(self, local: Path, target: str) -> None:
        """Copy a file of the driver's disk."""
        system, to_path = self._open(target)
        jvm: Any = self.session._jvm
        system.mkdirs(to_path.getParent())
        system.copyFromLocalFile(False, True, jvm.org.apache.hadoop.fs.Path(f"file://{local.absolute()}"), to_path)

    @_os_errors
    def download(self, source: str, local: Path) -> None:
        """Copy a file to the driver's disk."""
        system, from_path = self._open(source)
        jvm: Any = self.session._jvm
        system.copyToLocalFile(False, from_path, jvm.org.apache.hadoop.fs.Path(f"file://{local.absolute()}"), True)

    def sha256(self, path: str) -> str:
        """The sha256 of a file, in hex digits; one of another machine is copied here for it."""
        with self.local_copy(path) as local:
            return local_files.sha256(str(local))

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """A file as one of this machine: itself where it lies here, else a copy that goes at the end."""
        if is_local(path):
            yield Path(path)
            return
        with TemporaryDirectory(prefix="eoltag-") as folder:
            local = Path(folder) / "file"
            self.download(path, local)
            yield local


@contextmanager
def configured(session: SparkSession, key: str, value: int) -> Iterator[None]:
    """Inside, the session has this setting, such as how many bytes of files a task reads."""
    before = str(session.conf.get(key))
    session.conf.set(key, value)
    try:
        yield
    finally:
        session.conf.set(key, before)

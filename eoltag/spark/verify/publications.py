"""Publications held against their manifests, and the current one against the tags as they are now."""

from collections.abc import Iterator, Sequence

from eoltag.errors import OutputError
from eoltag.publish.manifest import CURRENT_FILE, FOLDER, MANIFEST_FILE, Manifest
from eoltag.spark.publish.state import rows_digest
from eoltag.spark.publish.versions import broken_off, complete_versions, read_current, read_manifest
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import has_tags, read_tags
from eoltag.spark.verify.finding import Finding


def check_publications(output: Output) -> Iterator[Finding]:
    """Files that a manifest does not know, or knows otherwise; a current publication that is not there or stale."""
    for version in broken_off(output):
        yield Finding(f"{FOLDER}/{version}", "has no manifest: publishing was broken off; the next one removes it")
    versions = complete_versions(output)
    for version in versions:
        try:
            manifest = read_manifest(output, version)
        except OutputError as problem:
            yield Finding(f"{FOLDER}/{version}/{MANIFEST_FILE}", f"cannot be read ({problem})")
            continue
        yield from _check_files(output, manifest)
    yield from _check_current(output, versions)


def _check_files(output: Output, manifest: Manifest) -> Iterator[Finding]:
    place = f"{FOLDER}/{manifest.version}"
    wanted = {file.path: file.sha256 for file in manifest.files}
    there = set(_below(output, place))
    for path, digest in wanted.items():
        if path not in there:
            yield Finding(f"{place}/{path}", "is missing; the manifest names it")
        elif output.files.sha256(output.path(place, path)) != digest:
            yield Finding(f"{place}/{path}", f"has another sha256 than the manifest says ({digest[:12]}...)")
    for path in sorted(there - wanted.keys() - {MANIFEST_FILE}):
        yield Finding(f"{place}/{path}", "is not in the manifest")


def _check_current(output: Output, versions: Sequence[str]) -> Iterator[Finding]:
    place = f"{FOLDER}/{CURRENT_FILE}"
    try:
        current = read_current(output)
    except OutputError as problem:
        yield Finding(place, str(problem))
        return
    if current is None:
        if versions:
            yield Finding(place, f"is missing; there are {len(versions)} publications")
        return
    if current.version not in versions:
        yield Finding(place, f"names publication {current.version}, which is not there")
        return
    for name, task in read_manifest(output, current.version).tasks.items():
        if has_tags(output, name) and rows_digest(read_tags(output, name))[1] != task.tags_digest:
            yield Finding(place, f"is stale: task '{name}' has other tags now than publication {current.version}")


def _below(output: Output, folder: str, prefix: str = "") -> Iterator[str]:
    """Paths of all files below a folder; a name without a dot is a folder of ours."""
    for name in output.files.names(output.path(folder)):
        if name.endswith(".crc"):
            continue
        inner = output.files.names(output.path(folder, name))
        if inner and inner != [name]:
            yield from _below(output, f"{folder}/{name}", f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}"

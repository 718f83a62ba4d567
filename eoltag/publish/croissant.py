"""The Croissant record of a publication: its files and columns as JSON-LD, as tools for datasets read it.

Source: Croissant format specification 1.1 (MLCommons, 2026-01-29).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from eoltag.publish.manifest import PublishedFile

FILE: Final = "croissant.json"
CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_MEDIA_TYPES: Final = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "jsonl": "application/jsonlines",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
_INTEGERS: Final = frozenset({"pixelXDimension", "pixelYDimension"})


def croissant(
    version: str,
    title: str,
    description: str,
    license_: str,
    publisher: str,
    made_at: str,
    files: Iterable[PublishedFile],
    tables: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """The record as a JSON document. tables: path of a CSV file of the publication -> its columns."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": title,
        "description": description,
        "version": "1.0.0",
        "alternateName": version,
        "datePublished": made_at,
        "citeAs": f"{publisher}: {title}, publication {version}.",
        "url": publisher if publisher.startswith("http") else "https://eol.org",
        "license": license_ or "unspecified",
        "creator": {"@type": "sc:Organization", "name": publisher},
        "distribution": [_file(file) for file in files],
        "recordSet": [_records(path, columns) for path, columns in tables.items()],
    }


def _file(file: PublishedFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _MEDIA_TYPES.get(file.path.rpartition(".")[2], "application/octet-stream"),
        "sha256": file.sha256,
    }


def _records(path: str, columns: Sequence[str]) -> dict[str, Any]:
    """The rows of a table."""
    name = path.rpartition("/")[2].partition(".")[0]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "name": f"{name}/{column}",
                "dataType": "sc:Integer" if column in _INTEGERS else "sc:Text",
                "source": {"fileObject": {"@id": path}, "extract": {"column": column}},
            }
            for column in columns
        ],
    }

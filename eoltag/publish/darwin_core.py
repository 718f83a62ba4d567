"""The Darwin Core Data Package of a publication: which columns its three tables have, and its datapackage.json.

Source: Darwin Core Data Package (TDWG, ratified 2026-05-26); the table schemas in schemas/ are theirs (CC0).
"""

import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "dwc-dp"
SCHEMAS: Final = Path(__file__).parent / "schemas"
COLUMNS: Final = {
    "media": (
        "media_pk", "mediaID", "mediaType", "accessURI", "providerManagedID", "pixelXDimension", "pixelYDimension",
        "hashFunction", "hashValue",
    ),
    "media-assertion": (
        "assertionID", "media_fk", "verbatimAssertionType", "assertionType", "assertionTypeIRI", "assertionTypeSource",
        "assertionMadeDate", "assertionValue", "assertionValueIRI", "assertionValueSource", "assertionError",
        "assertionBy", "assertionProtocols", "assertionProtocol_fk", "assertionRemarks",
    ),
    "protocol": (
        "protocol_pk", "protocolID", "protocolType", "protocolName", "protocolDescription", "protocolReferences",
        "protocolRemarks",
    ),
}  # fmt: skip
"""Table -> the columns that are written, of those that its schema knows."""
NOT_AUDITED: Final = "not audited"
"""The error of an assertion of which nobody has measured how often it is right."""
_LICENSES: Final = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
}


def file_of(table: str) -> str:
    """Where a table lies, below the folder of the publication."""
    return f"{FOLDER}/{table}.csv"


def error_of(certificate: dict[str, Any] | None, tag: str) -> str:
    """How often an assertion with this tag is right, as the certificate has it, or that nobody has measured it."""
    audited = (certificate or {}).get("tags", {}).get(tag)
    if audited is None or audited["precision"] is None:
        return NOT_AUDITED
    low, high = audited["interval"]
    return (
        f"precision {audited['precision']:.3f} (95 % interval {low:.3f} to {high:.3f}, "
        f"{audited['images']} images audited)"
    )


def data_package(version: str, title: str, license_: str, made_at: str) -> dict[str, Any]:
    """datapackage.json. license_: an SPDX name such as CC0-1.0, an address, or empty."""
    licence = {"path": license_} if license_.startswith("http") else {"name": license_}
    if license_ in _LICENSES:
        licence["path"] = _LICENSES[license_]
    return {
        "name": "eoltag-publication",
        "id": version,
        "title": title,
        "created": made_at,
        "version": version,
        **({"licenses": [licence]} if license_ else {}),
        "resources": [_resource(table) for table in COLUMNS],
    }


def _resource(table: str) -> dict[str, Any]:
    """A table with the part of its schema that is written, and the foreign keys to tables of this package."""
    schema = json.loads((SCHEMAS / f"{table}.json").read_text(encoding="utf-8"))
    fields = {field["name"]: field for field in schema["fields"]}
    keys = [key for key in schema.get("foreignKeys", []) if key["reference"]["resource"] in COLUMNS]
    return {
        "name": table,
        "path": f"{table}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {
            "identifier": schema["identifier"],
            "title": schema["title"],
            "fields": [_field(fields[name]) for name in COLUMNS[table]],
            **({"primaryKey": schema["primaryKey"]} if "primaryKey" in schema else {}),
            **({"foreignKeys": keys} if keys else {}),
        },
    }


def _field(field: dict[str, Any]) -> dict[str, Any]:
    """The parts of a field's schema that a reader needs; the rest stands at its IRI."""
    kept = ("name", "title", "description", "type", "format", "constraints", "dcterms:isVersionOf")
    return {name: field[name] for name in kept if name in field}

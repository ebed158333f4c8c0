"""`croissant.json`: the release described for machines (MLCommons Croissant), so that loaders can read the manifests as record sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.publish.canonical import readable_json, sha256_stream
from tasks.publish.documents import ReleaseDescription
from tasks.publish.manifest_files import parts
from tasks.publish.manifest_schemas import KEYS, MANIFESTS, Column

_TYPES = {
    "text": "sc:Text",
    "texts": "sc:Text",
    "int": "sc:Integer",
    "long": "sc:Integer",
    "float": "sc:Float",
    "flag": "sc:Boolean",
    "date": "sc:Date",
}
_REFERENCES = {
    ("study", "patient_id"): ("patient", "patient_id"),
    ("series", "StudyInstanceUID"): ("study", "StudyInstanceUID"),
    ("instance", "SeriesInstanceUID"): ("series", "SeriesInstanceUID"),
}
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
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
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
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


def write(folder: Path, about: ReleaseDescription) -> None:
    """Write `croissant.json`; the folder holds `manifests/`."""
    facts = about.publication
    files: list[dict[str, Any]] = []
    records = []
    for grain, columns in MANIFESTS.items():
        described_files = [_file_object(path) for path in parts(folder / "manifests", grain)]
        source = {"fileObject": {"@id": described_files[0]["@id"]}}
        if len(described_files) > 1:
            described_files.append(_file_set(grain, described_files))
            source = {"fileSet": {"@id": f"{grain}-files"}}
        files += described_files
        records.append(
            {
                "@type": "cr:RecordSet",
                "@id": grain,
                "name": grain,
                "description": f"One row per {', '.join(KEYS[grain])}",
                "key": [{"@id": f"{grain}/{name}"} for name in KEYS[grain]],
                "field": [_field(grain, c, source) for c in columns],
            }
        )
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": about.dataset,
        "description": facts.description or "De-identified DICOM images with Parquet manifests.",
        "version": about.release_id,
        "datePublished": about.on.isoformat(),
        "license": f"https://spdx.org/licenses/{facts.license_spdx}" if facts.license_spdx != "NOASSERTION" else "NOASSERTION",
        "url": facts.url or f"urn:dataset:{about.dataset}",
        "creator": {"@type": "sc:Organization", "name": facts.title or about.dataset},
        "citeAs": f"{facts.title or about.dataset}, release {about.release_id}, root {about.root}",
        "isLiveDataset": False,
        "personalSensitiveInformation": "De-identified by DICOM PS3.15 Annex E; codes " + ", ".join(about.option_codes),
        "distribution": files,
        "recordSet": records,
    }
    (folder / "croissant.json").write_bytes(readable_json(described))


def _file_object(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest, size = sha256_stream(file)
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": f"manifests/{path.name}",
        "contentSize": f"{size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": digest,
    }


def _file_set(grain: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    """The parts of a manifest that is kept in several files, as one thing to read."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{grain}-files",
        "name": f"{grain}-files",
        "containedIn": [{"@id": file["@id"]} for file in files],
        "encodingFormat": "application/x-parquet",
        "includes": f"{grain}-*.parquet",
    }


def _field(grain: str, column: Column, source: dict[str, Any]) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{grain}/{column.name}",
        "name": column.name,
        "description": column.about,
        "dataType": _TYPES[column.kind],
        "source": {**source, "extract": {"column": column.name}},
    }
    if column.kind == "texts":
        field["repeated"] = True
    if (target := _REFERENCES.get((grain, column.name))) is not None:
        field["references"] = {"field": {"@id": f"{target[0]}/{target[1]}"}}
    return field

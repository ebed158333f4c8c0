"""`croissant.json`: the release described for machines (MLCommons Croissant), so that loaders can read the manifests as record sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.publish.canonical import readable_json, sha256_stream
from tasks.publish.documents import ReleaseDescription
from tasks.publish.manifest_schemas import KEYS, MANIFESTS

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
    files, records = [], []
    for grain, columns in MANIFESTS.items():
        path = folder / "manifests" / f"{grain}.parquet"
        with path.open("rb") as file:
            digest, size = sha256_stream(file)
        files.append(
            {
                "@type": "cr:FileObject",
                "@id": f"{grain}.parquet",
                "name": f"{grain}.parquet",
                "contentUrl": f"manifests/{grain}.parquet",
                "contentSize": f"{size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": digest,
            }
        )
        records.append(
            {
                "@type": "cr:RecordSet",
                "@id": grain,
                "name": grain,
                "description": f"One row per {', '.join(KEYS[grain])}",
                "key": [{"@id": f"{grain}/{name}"} for name in KEYS[grain]],
                "field": [_field(grain, c.name, c.kind, c.about) for c in columns],
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


def _field(grain: str, name: str, kind: str, text: str) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{grain}/{name}",
        "name": name,
        "description": text,
        "dataType": _TYPES[kind],
        "source": {"fileObject": {"@id": f"{grain}.parquet"}, "extract": {"column": name}},
    }
    if kind == "texts":
        field["repeated"] = True
    if (target := _REFERENCES.get((grain, name))) is not None:
        field["references"] = {"field": {"@id": f"{target[0]}/{target[1]}"}}
    return field

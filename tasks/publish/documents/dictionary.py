"""The data dictionary and the JSON schemas of the manifests, generated from the columns' one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.publish.canonical import readable_json
from tasks.publish.manifest_schemas import KEYS, MANIFESTS, SCHEMA_VERSION

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "int": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number"},
    "flag": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
}
_WORDS = {
    "text": "text",
    "texts": "list of texts",
    "int": "integer (32 bits)",
    "long": "integer (64 bits)",
    "float": "number",
    "flag": "true or false",
    "date": "date",
}


def write(folder: Path) -> None:
    """Write `DATA_DICTIONARY.md` and `schema/<grain>.json`."""
    (folder / "DATA_DICTIONARY.md").write_text(dictionary_text(), "utf-8")
    (folder / "schema").mkdir(exist_ok=True)
    for grain, columns in MANIFESTS.items():
        properties = {
            c.name: {**_JSON_TYPES[c.kind], "description": c.about}
            if c.required
            else {"anyOf": [_JSON_TYPES[c.kind], {"type": "null"}], "description": c.about}
            for c in columns
        }
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"{grain} manifest, one row",
            "type": "object",
            "properties": properties,
            "required": [c.name for c in columns],
            "additionalProperties": False,
        }
        (folder / "schema" / f"{grain}.json").write_bytes(readable_json(schema))


def dictionary_text() -> str:
    """Return the data dictionary as Markdown."""
    parts = [
        f"# Data dictionary (schema version {SCHEMA_VERSION})\n",
        "Manifests are Parquet files in `manifests/`, one per grain. Lists are lists, dates are dates, sizes are bytes.\n"
        "A column that is a DICOM attribute keeps its keyword and holds the released value.\n",
    ]
    for grain, columns in MANIFESTS.items():
        parts.append(
            f"\n## {grain}\n\nOne row per {', '.join(KEYS[grain])}.\n\n| column | type | always filled | meaning |\n|---|---|---|---|\n"
        )
        parts += [f"| `{c.name}` | {_WORDS[c.kind]} | {'yes' if c.required else ''} | {c.about} |\n" for c in columns]
    return "".join(parts)

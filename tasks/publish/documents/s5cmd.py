"""`s5cmd/all.txt`: commands with which s5cmd downloads every series; one line per series.

Rows of single series: removed from releases that a withdrawal replaced, like the manifests.
"""

from __future__ import annotations

from pathlib import Path

from tasks.publish.manifest_files import parts


def write(folder: Path) -> None:
    """Write the commands, `${DATASET}` standing for the dataset's S3 URL; how to run them is in the data card."""
    import pyarrow.parquet as pq

    (folder / "s5cmd").mkdir(exist_ok=True)
    with (folder / "s5cmd" / "all.txt").open("w", encoding="utf-8") as out:
        for path in parts(folder / "manifests", "series"):
            for batch in pq.ParquetFile(path).iter_batches(columns=["patient_id", "StudyInstanceUID", "SeriesInstanceUID", "s3_prefix"]):
                for row in batch.to_pylist():
                    place = f"{row['patient_id']}/{row['StudyInstanceUID']}/{row['SeriesInstanceUID']}/"
                    out.write(f"cp ${{DATASET}}/{row['s3_prefix']}* {place}\n")

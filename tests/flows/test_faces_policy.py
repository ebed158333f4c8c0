"""What the policy says of faces, through a whole release of a head."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydicom import dcmread
from scipy import ndimage

from tests.flows.sallyport import sallyport
from tests.phantoms.heads import brain, head
from tests.phantoms.series import write_series

SPACING = (4.0, 2.5, 2.5)


@pytest.fixture
def brains_only(tmp_path: Path) -> Path:
    """A policy file that differs from the shipped one by `action: brain`."""
    policy = yaml.safe_load((resources.files("tasks.policy") / "shifted-dates.yaml").read_text("utf-8"))
    policy["faces"] = {**(policy.get("faces") or {}), "action": "brain"}
    path = tmp_path / "brains.yaml"
    path.write_text(yaml.safe_dump(policy), "utf-8")
    return path


@pytest.mark.slow
def test_a_release_of_brains_holds_the_brain_as_it_was_and_nothing_of_the_head(
    brains_only: Path, write_spec: Callable[..., Path], tmp_path: Path
) -> None:
    values, to_patient = head("MR", SPACING)
    series = write_series(tmp_path / "archive", values, to_patient, "MR")
    ran = sallyport("release", write_spec(tmp_path / "archive", policy=str(brains_only)), "--json")
    assert ran.code == 0, ran.err
    assert {"released": len(values)} == {status: n for status, n in ran.data["objects_by_status"].items() if n}
    written = [dcmread(path) for path in (tmp_path / "work" / "public").rglob("*.dcm")]
    written.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    assert {"NO"} == {ds.RecognizableVisualFeatures for ds in written}
    assert all("113102" in {code.CodeValue for code in ds.DeidentificationMethodCodeSequence} for ds in written)
    before = np.stack([dcmread(file.file.path).pixel_array for file in series.files]).astype(int)
    after = np.stack([ds.pixel_array for ds in written]).astype(int)
    depth = ndimage.distance_transform_edt(~brain(spacing=SPACING), sampling=SPACING)
    assert (before != after)[depth < 4].sum() == 0
    assert np.percentile(after[(depth > 24) & (before > 100)], 99) < 60

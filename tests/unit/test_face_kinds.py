"""Which objects can show a face, by SOP Class."""

import pytest

from tasks.deface.kinds import Kind, kind_of

_P = "1.2.840.10008.5.1.4.1.1."


@pytest.mark.parametrize(
    ("sop_class", "modality", "kind"),
    [
        (_P + "2", "CT", Kind.VOLUME),
        (_P + "4", "MR", Kind.VOLUME),
        (_P + "4.1", "MR", Kind.VOLUME),
        (_P + "2.1", "CT", Kind.VOLUME),
        (_P + "128", "PT", Kind.VOLUME),
        (_P + "30", "MR", Kind.VOLUME),
        (_P + "66.4", "SEG", Kind.MASK),
        (_P + "481.2", "RTDOSE", Kind.DOSE),
        (_P + "481.3", "RTSTRUCT", Kind.CONTOURS),
        (_P + "7", "CT", Kind.PICTURE),
        (_P + "7.4", "MR", Kind.PICTURE),
        (_P + "7", "OT", Kind.PICTURE),
        (_P + "7", "US", Kind.NOTHING),
        (_P + "77.1.4", "XC", Kind.PICTURE),
        (_P + "1.1", "DX", Kind.NOTHING),
        (_P + "6.1", "US", Kind.NOTHING),
        (_P + "88.33", "SR", Kind.NOTHING),
        ("1.3.12.2.1107.5.9.1", "MR", Kind.PICTURE),
    ],
)
def test_the_kind_follows_from_the_sop_class(sop_class, modality, kind):
    assert kind == kind_of(sop_class, modality)

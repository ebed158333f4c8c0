"""The public manifests' columns: one table from which schemas, data dictionary, Croissant and verification are made.

Filling them does not belong here. A column that is a DICOM attribute keeps its keyword; no column holds a source value.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = "1"

_TYPES = {
    "text": pa.string(),
    "texts": pa.list_(pa.string()),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float64(),
    "flag": pa.bool_(),
    "date": pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: str  # text | texts | int | long | float | flag | date
    about: str
    required: bool = False


def _columns(text: str) -> tuple[Column, ...]:
    """Read `name kind[!] | about` lines; an exclamation mark means never null."""
    rows = []
    for line in filter(None, map(str.strip, text.splitlines())):
        head, about = line.split("|", 1)
        name, kind = head.split()
        rows.append(Column(name, kind.rstrip("!"), about.strip(), kind.endswith("!")))
    return tuple(rows)


_RELEASE = """
dataset_id            text!  | Name of the dataset
release_id            text!  | Release that this row belongs to
access_tier           text!  | open, registered or controlled
"""

MANIFESTS: dict[str, tuple[Column, ...]] = {
    "patient": _columns("""
patient_id            text!  | Pseudonym of the patient: (0010,0020) in the objects; the same in every release of the dataset
PatientSex            text   | (0010,0040) as released; null when it differs between studies
age_band              text   | Ten-year band of the age at the first study: 0-9, 10-19, …, 90+
study_count           long!  | Studies of this patient in this release
split                 text!  | Suggested split by patient: train, validation or test
"""),
    "study": _columns(
        _RELEASE
        + """
patient_id            text!  | Pseudonym of the patient
StudyInstanceUID      text!  | (0020,000D), replaced
study_version_id      text!  | First 32 hex digits of study_digest
study_digest          text!  | sha256 over the sorted lines "SeriesInstanceUID series_digest"
StudyDate             date   | (0008,0020); shifted by one secret number of days per patient, or null
days_since_first_study long  | Days since this patient's first study in this release
study_index_in_patient int!  | 1 for the first study of the patient
patient_age_years     int    | Age at the study in years; 90 means 90 or older
PatientSex            text   | (0010,0040)
ModalitiesInStudy     texts! | Modalities of the series in this release
body_parts            texts! | BodyPartExamined of the series, as released
series_count          long!  | Series in this release
instance_count        long!  | Instances in this release
size_bytes            long!  | Bytes of all objects
split                 text!  | Suggested split by patient
license_spdx          text!  | SPDX expression of the licence
deid_policy_id        text!  | Name and digest of the policy that applied
deid_option_codes     texts! | PS3.15 option codes declared in the objects, (0012,0064)
first_release_id      text!  | Release in which this study first appeared
revised_release_id    text!  | Release in which its present version first appeared
"""
    ),
    "series": _columns(
        _RELEASE
        + """
patient_id            text!  | Pseudonym of the patient
StudyInstanceUID      text!  | (0020,000D), replaced
SeriesInstanceUID     text!  | (0020,000E), replaced
series_version_id     text!  | First 32 hex digits of series_digest; names the folder of the objects
series_digest         text!  | sha256 over the sorted lines "SOPInstanceUID sha256"
Modality              text   | (0008,0060)
SOPClassUIDs          texts! | Distinct (0008,0016)
TransferSyntaxUIDs    texts! | Distinct (0002,0010)
ImageType             texts  | (0008,0008) when equal in all instances
SeriesNumber          long   | (0020,0011)
SeriesDescription     text   | (0008,103E), cleaned
BodyPartExamined      text   | (0018,0015)
Laterality            text   | (0020,0060)
Manufacturer          text   | (0008,0070)
ManufacturerModelName text   | (0008,1090)
MagneticFieldStrength float  | (0018,0087), tesla
KVP                   float  | (0018,0060), kilovolt
SliceThickness        float  | (0018,0050), mm
SpacingBetweenSlices  float  | (0018,0088), mm
pixel_spacing_row_mm  float  | (0028,0030), first value
pixel_spacing_col_mm  float  | (0028,0030), second value
RepetitionTime        float  | (0018,0080), ms
EchoTime              float  | (0018,0081), ms; null when the series has several
FlipAngle             float  | (0018,1314), degrees
ConvolutionKernel     texts  | (0018,1210)
contrast_agent        text   | (0018,0010), cleaned
Rows                  int    | (0028,0010)
Columns               int    | (0028,0011)
frame_count           long!  | Frames of all instances together
BitsStored            int    | (0028,0101)
PhotometricInterpretations texts! | Distinct (0028,0004)
lossy_compressed      flag!  | True when (0028,2110) is 01 in any instance
instance_count        long!  | Instances in this release
size_bytes            long!  | Bytes of all objects
single_orientation    flag   | All slices have one orientation; null without positions
uniform_slice_spacing flag   | Slices are equally spaced within 1 % or 0.01 mm
regularly_spaced_3d_volume flag | One orientation, equal spacing, equal matrix, no position twice, three slices or more
missing_slices        int    | Whole slices that seem to be missing between the first and the last
obliquity_degrees     float  | Angle between the slice normal and the nearest patient axis
face_in_fov           flag   | The head's face region is inside the images; null when not known
defacing_applied      flag!  | Voxels of the face were changed
defacing_method       text   | Method and its version
pixel_masking_applied flag!  | Burned-in text was blanked in at least one instance
burned_in_annotation  text   | (0028,0301) as declared
recognizable_visual_features text | (0028,0302) as declared
temporal_info_modified text  | (0028,0303) as declared
references_series     texts! | Series of this release that instances of this series refer to
inconsistent_attributes texts! | Columns of this row that are null because the instances disagree
s3_prefix             text!  | Folder of the objects below the dataset's root
first_release_id      text!  | Release in which this series first appeared
revised_release_id    text!  | Release in which its present version first appeared
"""
    ),
    "instance": _columns("""
SeriesInstanceUID     text!  | (0020,000E), replaced
SOPInstanceUID        text!  | (0008,0018), replaced
SOPClassUID           text!  | (0008,0016)
TransferSyntaxUID     text!  | (0002,0010)
series_version_id     text!  | Version of the series that this object belongs to
InstanceNumber        long   | (0020,0013)
instance_order        int!   | 1, 2, … along the slice normal where positions are known, else by InstanceNumber
slice_position_mm     float  | Position along the slice normal
NumberOfFrames        int!   | (0028,0008), 1 when absent
object_key            text!  | Object below the dataset's root
size_bytes            long!  | Size of the object
sha256                text!  | sha256 of the object
pixel_data_offset     long   | First byte of the value of the pixel data
pixel_data_length     long   | Length of the value of the pixel data
"""),
    "change": _columns("""
change                text!  | added, revised, retired or withdrawn
release_id            text!  | Release that brought the change
StudyInstanceUID      text!  | (0020,000D), replaced
SeriesInstanceUID     text!  | (0020,000E), replaced
series_version_id     text   | Version in this release; null when it is gone
previous_series_version_id text | Version in the release before; null when it is new
"""),
}

KEYS = {
    "patient": ("patient_id",),
    "study": ("StudyInstanceUID",),
    "series": ("SeriesInstanceUID",),
    "instance": ("SOPInstanceUID",),
    "change": ("SeriesInstanceUID",),
}
"""What identifies a row."""


def manifest_schema(grain: str) -> pa.Schema:
    """Return the exact Arrow schema of one manifest."""
    return pa.schema([pa.field(c.name, _TYPES[c.kind], nullable=not c.required) for c in MANIFESTS[grain]])


def schema_differs(found: pa.Schema, grain: str) -> str:
    """Return the first column that is missing, additional, out of place or of another type; "" when the schema is exact."""
    expected = manifest_schema(grain)
    for index in range(max(len(expected), len(found))):
        if index >= len(found):
            return str(expected.field(index).name)
        if index >= len(expected) or found.field(index).name != expected.field(index).name:
            return f"column {index + 1}"
        if not _same_type(found.field(index).type, expected.field(index).type):
            return str(expected.field(index).name)
    return ""


def _same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    if pa.types.is_list(expected):
        return bool(pa.types.is_list(found) and found.value_type == expected.value_type)
    return bool(found == expected)

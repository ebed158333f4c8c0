"""The Arrow schemas of the private tables that travel between stages; the public manifests' live in `tasks/publish`.

A column that is a DICOM attribute keeps its keyword; ours are snake_case; identified values wear the prefix `source_`.
"""

from __future__ import annotations

import pyarrow as pa

_UTF8, _I32, _I64, _F64, _BOOL = pa.string(), pa.int32(), pa.int64(), pa.float64(), pa.bool_()
_TEXTS = pa.list_(pa.string())

CROSSWALK = pa.schema(
    [
        pa.field("source_path", _UTF8, nullable=False),
        pa.field("source_patient_id", _UTF8),
        pa.field("source_study_instance_uid", _UTF8),
        pa.field("source_series_instance_uid", _UTF8),
        pa.field("source_sop_instance_uid", _UTF8),
        pa.field("patient_id", _UTF8),
        pa.field("study_instance_uid", _UTF8),
        pa.field("series_instance_uid", _UTF8),
        pa.field("sop_instance_uid", _UTF8),
        pa.field("object_path", _UTF8),  # relative to DEST; null when nothing was written there
        pa.field("status", _UTF8, nullable=False),
        pa.field("reason", _UTF8),
        pa.field("date_shift_days", _I32),
    ]
)
"""Private: one row per input object, from source identity to released identity."""

FINDINGS = pa.schema(
    [
        pa.field("sop_instance_uid", _UTF8, nullable=False),
        pa.field("place", _UTF8, nullable=False),
        pa.field("kind", _UTF8, nullable=False),
        pa.field("rule", _UTF8, nullable=False),
        pa.field("score", _F64, nullable=False),
    ]
)

INSTANCES = pa.schema(
    [
        # identity (released values) and where the bytes are
        pa.field("study_key", _UTF8, nullable=False),
        pa.field("PatientID", _UTF8, nullable=False),
        pa.field("StudyInstanceUID", _UTF8, nullable=False),
        pa.field("SeriesInstanceUID", _UTF8, nullable=False),
        pa.field("SOPInstanceUID", _UTF8, nullable=False),
        pa.field("SOPClassUID", _UTF8, nullable=False),
        pa.field("TransferSyntaxUID", _UTF8, nullable=False),
        pa.field("quarantine_key", _UTF8, nullable=False),  # object key on the private side
        pa.field("size_bytes", _I64, nullable=False),
        pa.field("sha256", _UTF8, nullable=False),
        pa.field("pixel_data_offset", _I64),
        pa.field("pixel_data_length", _I64),
        pa.field("status", _UTF8, nullable=False),
        pa.field("reason", _UTF8),
        # patient and study
        pa.field("PatientSex", _UTF8),
        pa.field("patient_age_years", _I32),
        pa.field("PatientSize", _F64),
        pa.field("PatientWeight", _F64),
        pa.field("EthnicGroup", _UTF8),
        pa.field("PregnancyStatus", _I32),
        pa.field("StudyDate", pa.date32()),
        pa.field("StudyDescription", _UTF8),
        # series and acquisition
        pa.field("Modality", _UTF8),
        pa.field("SeriesNumber", _I64),
        pa.field("SeriesDescription", _UTF8),
        pa.field("ProtocolName", _UTF8),
        pa.field("BodyPartExamined", _UTF8),
        pa.field("Laterality", _UTF8),
        pa.field("PatientPosition", _UTF8),
        pa.field("Manufacturer", _UTF8),
        pa.field("ManufacturerModelName", _UTF8),
        pa.field("SoftwareVersions", _TEXTS),
        pa.field("ImageType", _TEXTS),
        pa.field("MagneticFieldStrength", _F64),
        pa.field("KVP", _F64),
        pa.field("SliceThickness", _F64),
        pa.field("SpacingBetweenSlices", _F64),
        pa.field("pixel_spacing_row_mm", _F64),
        pa.field("pixel_spacing_col_mm", _F64),
        pa.field("RepetitionTime", _F64),
        pa.field("EchoTime", _F64),
        pa.field("FlipAngle", _F64),
        pa.field("ConvolutionKernel", _TEXTS),
        pa.field("ContrastBolusAgent", _UTF8),
        pa.field("FrameOfReferenceUID", _UTF8),
        # image
        pa.field("InstanceNumber", _I64),
        pa.field("AcquisitionNumber", _I64),
        pa.field("Rows", _I32),
        pa.field("Columns", _I32),
        pa.field("NumberOfFrames", _I32),
        pa.field("BitsStored", _I32),
        pa.field("PhotometricInterpretation", _UTF8),
        pa.field("LossyImageCompression", _UTF8),
        pa.field("ImageOrientationPatient", pa.list_(_F64)),
        pa.field("ImagePositionPatient", pa.list_(_F64)),
        pa.field("references_series", _TEXTS),
        pa.field("references_instances", _TEXTS),
        # what was done, as declared in the object and as the stages said
        pa.field("deid_option_codes", _TEXTS),
        pa.field("BurnedInAnnotation", _UTF8),
        pa.field("RecognizableVisualFeatures", _UTF8),
        pa.field("LongitudinalTemporalInformationModified", _UTF8),
        pa.field("pixels_examined", _BOOL),
        pa.field("blanked_regions", _I32),
        pa.field("face_verdict", _UTF8),
        pa.field("face_in_fov", _BOOL),
        pa.field("defacing_method", _UTF8),
    ]
)
"""One row per de-identified object that was written to quarantine, read back from the written bytes."""

VERDICTS = pa.schema(
    [
        pa.field("gate", _UTF8, nullable=False),
        pa.field("version", _UTF8, nullable=False),
        pa.field("policy_sha256", _UTF8, nullable=False),
        pa.field("unit", _UTF8, nullable=False),
        pa.field("key", _UTF8, nullable=False),
        pa.field("measure", _UTF8, nullable=False),
        pa.field("threshold", _UTF8, nullable=False),
        pa.field("verdict", _UTF8, nullable=False),
        pa.field("n", _I64, nullable=False),
        pa.field("ci_low", _F64),
    ]
)

RISK = pa.schema(
    [
        pa.field("gate", _UTF8, nullable=False),
        pa.field("unit", _UTF8, nullable=False),  # instance | series | study | patient | release
        pa.field("key", _UTF8, nullable=False),  # released identifier of the unit, "" for the release
        pa.field("measure", _UTF8, nullable=False),  # names what was measured, never a value of a column
        pa.field("value", _F64),  # null: could not be measured, which is a failure
        pa.field("at_least", _F64),
        pa.field("at_most", _F64),
        pa.field("n", _I64, nullable=False),  # what was counted: patients, rows, …
        pa.field("action", _UTF8, nullable=False),  # what a value out of bounds means: block | quarantine | ask | info
    ]
)
"""One measure of a candidate with its bounds; computed in `tasks/risk`, judged in `expectations`."""

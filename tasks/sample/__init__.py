"""A sample archive for the demo and for tests: made patients with planted PHI, made pixels, and files that pydicom ships.

Everything here is invented. How the pipeline treats it does not belong here.
"""

from tasks.sample.archive import SampleArchive, make_archive
from tasks.sample.patients import PATIENTS, SamplePatient

__all__ = ["PATIENTS", "SampleArchive", "SamplePatient", "make_archive"]

"""Small studies that share a future, because what Dask costs, it costs for each future."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tasks.model import Reason, Receipt, StudyRef
from tasks.process import failed_receipt
from tasks.study_job import Job

_MOST_STUDIES, _MOST_INSTANCES = 16, 48
_FUTURES_TO_SHARE_OUT = 64  # fewer would leave workers idle at the end

Bundle = tuple[StudyRef, ...]


def bundles(refs: Sequence[StudyRef]) -> Iterator[Bundle]:
    """Yield all studies in their order, those of few instances together and each large one alone."""
    most = max(1, min(_MOST_STUDIES, len(refs) // _FUTURES_TO_SHARE_OUT))
    bundle: list[StudyRef] = []
    instances = 0
    for ref in refs:
        if bundle and (len(bundle) >= most or instances + ref.instance_count > _MOST_INSTANCES):
            yield tuple(bundle)
            bundle, instances = [], 0
        bundle.append(ref)
        instances += ref.instance_count
    if bundle:
        yield tuple(bundle)


def process_bundle(process: Callable[[StudyRef, Job], Receipt], bundle: Bundle, job: Job) -> list[Receipt]:
    """Process each study, on a worker; one receipt each, in order, whatever happens to its neighbours."""
    return [_receipt(process, ref, job) for ref in bundle]


def _receipt(process: Callable[[StudyRef, Job], Receipt], ref: StudyRef, job: Job) -> Receipt:
    try:
        receipt = process(ref, job)
    except Exception as error:  # PRIVACY: its message may hold a value
        return failed_receipt(ref, "", Reason.INTERNAL_ERROR, type(error).__name__)
    if not isinstance(receipt, Receipt) or receipt.study_key != ref.study_key:
        return failed_receipt(ref, "", Reason.INTERNAL_ERROR, "not a receipt")
    return receipt

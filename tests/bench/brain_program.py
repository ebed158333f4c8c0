"""Stand-alone program of the brain finder's environment (`tests/bench/brains.py`): an .npz of values and affine in, a mask as .npy out."""

import io
import os
import sys
from typing import Any


def main() -> None:
    """Read a volume, print its brain."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    import nibabel
    import numpy
    import torch
    from deepbet.bet import BrainExtraction

    torch.set_num_threads(1)
    given = numpy.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    image = nibabel.Nifti1Image(numpy.ascontiguousarray(given["values"].transpose(2, 1, 0)), given["affine"])
    _, mask, _ = BrainExtraction(no_gpu=True).run(image)
    found: Any = numpy.asarray(mask.dataobj).transpose(2, 1, 0) > 0
    buffer = io.BytesIO()
    numpy.save(buffer, found)
    with os.fdopen(answer_to, "wb") as answer:
        answer.write(buffer.getvalue())


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Make the face judge's own environment beside the one that runs Sallyport: <prefix>-judge, from the hash-pinned lock.
#   infra/judge/install.sh [TARGET]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-$(python -c 'import sys; print(sys.prefix + "-judge")')}
if command -v uv >/dev/null; then
    uv venv --quiet --allow-existing --python 3.11 "$target"
    uv pip install --quiet --compile-bytecode --python "$target/bin/python" --no-deps --require-hashes -r "$here/requirements.lock"
else
    python3.11 -m venv "$target"
    "$target/bin/python" -m pip install --quiet --no-deps --require-hashes -r "$here/requirements.lock"
fi
# not needed, and trained on pictures whose licence forbids commercial use
rm -f "$target"/lib/python3.*/site-packages/face_recognition_models/models/shape_predictor_68_face_landmarks.dat
"$target/bin/python" -c 'import mediapipe, dlib' 2>/dev/null && echo "face judge: $target"

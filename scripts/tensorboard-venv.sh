#!/usr/bin/env bash
# Installs TensorBoard, without TensorFlow, into .venv: the checks read our event files with it. Does nothing where it is
# already there. PYTHON names the interpreter to use (3.9 or newer).
set -euo pipefail
cd "$(dirname "$0")/.."

version=2.21.0
python=${PYTHON:-python3}

installed() {
  .venv/bin/python -c "from importlib.metadata import version as v; import tensorboard.main; assert v('tensorboard') == '$version'" 2>/dev/null
}
fail() {
  echo "tensorboard-venv: $1" >&2
  exit 1
}

if installed; then
  echo "TensorBoard $version is in .venv"
  exit 0
fi
command -v "$python" >/dev/null || fail "no $python found: install Python 3.9 or newer, or name it in PYTHON"
"$python" -m venv .venv || fail "$python cannot make a virtual environment: install its venv module (Debian: python3-venv)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check "tensorboard==$version" ||
  fail "pip could not install tensorboard==$version: see above"
installed || fail "TensorBoard was installed but does not start: remove .venv and try again"
echo "TensorBoard $version is in .venv"

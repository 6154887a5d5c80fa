#!/usr/bin/env bash
# Installs PyTorch and the packages that benchmarks/kernel.ts compares with into .cache/peers. Does nothing where they are
# already there. PYTHON names the interpreter to use (3.10 or newer). PyPI's torch for Linux x64 is the CUDA build: it does not
# start without NVIDIA's libraries, which makes this a download of 3 GB and 7 GB on disk.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(torch==2.9.1 numpy==2.3.5 backpack-for-pytorch==1.7.1 curvlinops-for-pytorch==3.0.1 PyHessian==0.1)
python=${PYTHON:-python3}
venv=.cache/peers

installed() {
  "$venv/bin/python" - "${packages[@]}" 2>/dev/null <<'PYTHON'
import sys
from importlib.metadata import version
import torch, backpack, curvlinops, pyhessian
assert all(version(name) == wanted for name, wanted in (entry.split("==") for entry in sys.argv[1:]))
PYTHON
}
fail() {
  echo "peers-venv: $1" >&2
  exit 1
}

if installed; then
  echo "${packages[*]} are in $venv"
  exit 0
fi
command -v "$python" >/dev/null || fail "no $python found: install Python 3.10 or newer, or name it in PYTHON"
"$python" -m venv "$venv" || fail "$python cannot make a virtual environment: install its venv module (Debian: python3-venv)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" ||
  fail "pip could not install ${packages[*]}: see above"
installed || fail "the packages were installed but do not start: remove $venv and try again"
echo "${packages[*]} are in $venv"

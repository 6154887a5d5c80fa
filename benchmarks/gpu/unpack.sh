#!/usr/bin/env bash
# On the GPU machine: unpacks what pack.sh wrote, from the folder where the parts lie, without a network. Needs Python 3 with PyTorch.
# WebGPU needs Vulkan: libvulkan1 and the driver's file in /usr/share/vulkan/icd.d or /etc/vulkan/icd.d.
#
# usage: unpack.sh HOME
# then:  cd HOME/app && . ../env.sh && ./node --import tsx benchmarks/gpu.ts
set -euo pipefail
parts=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] || { echo 'unpack: name a folder to unpack to' >&2 && exit 1; }
mkdir -p "$1"
cd "$1"
if command -v xz >/dev/null; then
  cat "$parts"/part.* | xz -dc -T0 | tar -x
else
  cat "$parts"/part.* | python3 -c 'import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode="r|xz").extractall()'
fi
# The machine's PyTorch, with the packages beside it, where the benchmark looks for them.
for wheel in app/wheels/*.whl; do
  python3 -m pip install --quiet --no-deps --no-index --target "$PWD/app/.cache/peers/site" "$wheel" ||
    echo "unpack: ${wheel##*/} could not be installed; what needs it will not be measured" >&2
done
mkdir -p app/.cache/peers/bin
printf '#!/bin/sh\nPYTHONPATH=%s exec python3 "$@"\n' "$PWD/app/.cache/peers/site" >app/.cache/peers/bin/python
chmod +x app/.cache/peers/bin/python
# TensorFlow opens CUDA 12's libraries by name. Where there are only those of CUDA 13, their mathematics does under the old names; the runtime
# itself was packed.
python3 - "$PWD" <<'PYTHON'
import glob, os, shutil, sys, zipfile
home = sys.argv[1]
names = {"libcublas.so.12": "libcublas.so.13", "libcublasLt.so.12": "libcublasLt.so.13", "libcufft.so.11": "libcufft.so.12",
         "libcusolver.so.11": "libcusolver.so.12", "libcusparse.so.12": "libcusparse.so.12", "libnvJitLink.so.12": "libnvJitLink.so.13",
         "libcudnn.so.9": "libcudnn.so.9", "libnccl.so.2": "libnccl.so.2"}
found = {}
for root in [path for path in [*sys.path, "/usr/local", "/usr/lib"] if os.path.isdir(path)]:
    for folder, _, files in os.walk(root):
        for file in files:
            found.setdefault(file, os.path.join(folder, file))
links = f"{home}/names"
os.makedirs(links, exist_ok=True)
folders = [links]
for wanted, instead in names.items():
    real = found.get(wanted) or found.get(instead)
    if real is None:
        print(f"unpack: {wanted} is not there, so that TensorFlow may not find the GPU", file=sys.stderr)
        continue
    if not os.path.lexists(f"{links}/{wanted}"):
        os.symlink(real, f"{links}/{wanted}")
    if os.path.dirname(real) not in folders:
        folders.append(os.path.dirname(real))
for wheel in glob.glob(f"{home}/app/wheels/cuda/*.whl"):
    zipfile.ZipFile(wheel).extractall(f"{home}/cuda")
for library in glob.glob(f"{home}/cuda/nvidia/*/lib/lib*.so.12"):
    shutil.copy(library, links)
with open(f"{home}/env.sh", "w") as env:
    env.write(f"export LD_LIBRARY_PATH={':'.join(folders)}:${{LD_LIBRARY_PATH:-}} TF_CPP_MIN_LOG_LEVEL=3\n")
PYTHON
echo "unpacked: cd $PWD/app && . ../env.sh && ./node --import tsx benchmarks/gpu.ts"

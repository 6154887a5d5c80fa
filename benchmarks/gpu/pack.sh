#!/usr/bin/env bash
# Packs all that `npm run bench:gpu` needs on a GPU machine without a network: Node, this working tree, its packages, trained weights,
# and what PyTorch's side lacks. PyTorch itself and the NVIDIA driver have to be there.
#
# usage: [PYTHON_THERE=3.12] benchmarks/gpu/pack.sh OUT [--tensorflow]
#
# Writes OUT/part.00, OUT/part.01, ... of at most 58 MB, about 150 MB in all, and OUT/unpack.sh, which unpacks them there. With
# --tensorflow also tfjs-node-gpu on the C library of TensorFlow (another 300 MB, and minutes of two cores); without, only WebGPU is compared.
set -euo pipefail
cd "$(dirname "$0")/../.."
fail() {
  echo "pack: $1" >&2
  exit 1
}
[ $# -ge 1 ] || fail 'name a folder to write to'
for epochs in MLP-4000-images-60 LeNet-4000-images-20; do
  [ -f ".cache/bench-weights/$epochs-epochs.f32" ] || fail "no weights of $epochs epochs: run npm run bench:one-percent once, which trains the networks"
done
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
app=$work/app

mkdir -p "$app/.cache"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$app"
git rev-parse --short HEAD >"$app/.cache/packed-commit"
cp -r .cache/bench-weights "$app/.cache/"

# Of all packages those that the benchmark imports, in the versions of the lock file.
wanted=(@bufbuild/protobuf @tensorflow/tfjs @tensorflow/tfjs-backend-{cpu,wasm,webgpu} @tensorflow/tfjs-{core,layers,data} crc-32 rxjs tsx vega vega-lite webgpu)
versions=()
for name in "${wanted[@]}"; do
  versions+=("$name@$(node -p "require('./package-lock.json').packages['node_modules/$name'].version")")
done
[ "${2:-}" = --tensorflow ] && versions+=("@tensorflow/tfjs-node-gpu@$(node -p "require('./package-lock.json').packages['node_modules/@tensorflow/tfjs-node'].version")")
mkdir "$work/packages"
(cd "$work/packages" && npm init -y >/dev/null && npm install --silent --ignore-scripts --no-audit --no-fund "${versions[@]}")
find "$work/packages/node_modules/webgpu/dist" -mindepth 1 -maxdepth 1 ! -name "linux-$(node -p process.arch)" -exec rm -rf {} +
mv "$work/packages/node_modules" "$app/"
if [ "${2:-}" = --tensorflow ]; then
  (cd "$app" && node --import tsx src/cli.ts native --gpu)
  # CUDA 12's runtime, which machines with CUDA 13 alone lack.
  python3 -m pip download --quiet --no-deps -d "$app/wheels/cuda" 'nvidia-cuda-runtime-cu12>=12.5.82,<13' 'nvidia-cuda-cupti-cu12>=12.5.82,<13'
  lib=$app/node_modules/@tensorflow/tfjs-node-gpu/deps/lib
  for library in "$lib"/*.so.2; do strip -s "$library"; done
fi
# What PyTorch's side needs but PyTorch and numpy, which are those of the machine. scipy is for its version of Python.
python3 -m pip wheel --quiet --no-deps -w "$app/wheels" backpack-for-pytorch==1.7.1 curvlinops-for-pytorch==3.0.1 PyHessian==0.1 \
  einconv einops linear_operator opt_einsum tqdm unfoldNd
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version "${PYTHON_THERE:-3.12}" -d "$app/wheels" scipy
cp "$(readlink -f "$(command -v node)")" "$app/node"

tar -C "$work" -c --exclude='*.map' --exclude='*_test.js' --exclude='*.min.js' --exclude='*.es2017*' --exclude='*.fesm*' --exclude='deps/include' app |
  xz -T0 -3 | split -b 58000000 -d - "$out/part."
cp benchmarks/gpu/unpack.sh "$out/"
du -m "$out"/*

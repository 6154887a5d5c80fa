#!/usr/bin/env bash
# Generates src/training/tensorboard/event_pb.ts and layout_pb.ts from the .proto files. Needed only after a change to one of them.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(node -p "require('./node_modules/@bufbuild/protobuf/package.json').version")
npx --yes --package "@bufbuild/buf@1.75.0" --package "@bufbuild/protoc-gen-es@$version" -- \
  buf generate src/training/tensorboard --template '{
    "version": "v2",
    "plugins": [{ "local": "protoc-gen-es", "out": "src/training/tensorboard", "opt": ["target=ts", "import_extension=js"] }]
  }'
npx biome check --write src/training/tensorboard/*_pb.ts

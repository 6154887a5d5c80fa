#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { buildNative } from './native/build.js';

const usage = `usage: npx tfjs-sharpness native [--gpu]

Builds the native addon of @tensorflow/tfjs-node in the project of the current folder, without the download that its install
script needs. First: npm install --ignore-scripts @tensorflow/tfjs-node
Needs linux x64, Python with pip, make and a C++ compiler.

  --gpu   build @tensorflow/tfjs-node-gpu instead, and say which CUDA libraries it still needs
  --help  show this text`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { gpu: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(usage);
  } else if (positionals.join(' ') === 'native') {
    await buildNative(values.gpu ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node', (line) => console.log(line));
  } else {
    console.error(usage);
    process.exitCode = 2;
  }
} catch (error) {
  console.error(`tfjs-sharpness: ${(error as Error).message}`);
  process.exitCode = 1;
}

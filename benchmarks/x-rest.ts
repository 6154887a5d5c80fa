import { mkdirSync, rmSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startBackend } from './backend.js';
import { addLine, readLines } from './json-lines.js';
import { grid, nameOf } from './experiments/grid.js';
import { oneThread } from './experiments/one-thread.js';
import { weightsFile } from './experiments/places.js';
import { type Training, train } from './experiments/training.js';
oneThread();
await startBackend('tensorflow');
const file = '/work/wt/exp/benchmarks/experiments/results/trainings.jsonl';
const weights = '/work/main/.cache/experiments';
for (const setting of grid().filter(({ architecture, seed }) => architecture === 'LeNet' && seed === 3).reverse()) {
  const name = nameOf(setting);
  if (readLines<Training>(file).map(nameOf).includes(name)) continue;
  const unfinished = join(weights, `${name}.second`);
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const training = await train(setting, (epoch, values) => writeFileSync(weightsFile(unfinished, epoch), values));
  renameSync(unfinished, join(weights, name));
  addLine(file, training);
  console.log(name);
}

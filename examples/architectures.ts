/**
 * Networks of the kinds that people train, in real size, each measured as it is: what the value, the time and the memory are.
 * They are in `architectures/`, with random weights and random inputs, and train a few steps before. A table of one run is in
 * `results/architectures.md`.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import type { Measurement, Subject } from './shared/architectures/architecture.js';
import { architectures } from './shared/architectures/index.js';
import { runWithOptions } from './shared/command-line.js';

const usage = `usage: npx tsx examples/architectures.ts [options]

  --only NAME      one of ${Object.keys(architectures).join(', ')} (default: all of them)
  --size NAME      real, or small, which takes a second (default real)
  --samples N      measure N samples (default: what suits the network)
  --steps N        train for N steps before, where tf.js can (default 5)
  --memory MB      upper bound of the extra tensor memory (default 256)
  --backend NAME   tensorflow, which is tfjs-node, or cpu (default tensorflow)
  --results FILE   write the table there too
  --help           show this text`;

const defaults = { only: 'all', size: 'real', samples: '', steps: 5, memory: 256, backend: 'tensorflow', results: '' };

/** Samples of a training step. */
const BATCH = 16;
const MB = 2 ** 20;

async function startBackend(name: string): Promise<void> {
  if (name === 'tensorflow') {
    // tfjs-node 4.22 calls both; Node 23 removed them.
    Object.assign(util, { isNullOrUndefined: (v: unknown) => v === null || v === undefined, isArray: Array.isArray });
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // fewer notes on how TensorFlow was built
    await import('@tensorflow/tfjs-node').catch(() => {
      throw new Error('tfjs-node does not load: npm run native builds it. Or pass --backend cpu.');
    });
  }
  if (!(await tf.setBackend(name))) {
    throw new Error(`The ${name} backend did not start.`);
  }
}

async function train({ model, inputs, labels }: Subject, steps: number): Promise<void> {
  if (!labels) {
    return;
  }
  for (let step = 0; step < steps; step++) {
    const [x, y] = [inputs(BATCH, 2 * step), labels(BATCH, 2 * step + 1)];
    await model.trainOnBatch(x, y);
    tf.dispose([x, y]);
  }
}

/**
 * A reading, the time that the processor's cores spent on it, and the most bytes that lay in tensors meanwhile above those
 * that lay there before.
 */
async function measure({ model, inputs }: Subject, { samples, method }: Measurement, memoryMB: number) {
  const x = inputs(samples, 1000);
  const gauge = peakGauge();
  const before = process.cpuUsage();
  const reading = await measureSharpness(model, x, { method, memoryMB });
  const { user, system } = process.cpuUsage(before);
  x.dispose();
  return { reading, processorSeconds: (user + system) / 1e6, peakMB: gauge() / MB };
}

/** The most bytes that lay in tensors since the call, above those that lay there. (tf.profile fails on 100,000 operations.) */
function peakGauge(): () => number {
  const engine = tf.engine() as unknown as { trackTensor: (...args: unknown[]) => void };
  const track = engine.trackTensor;
  const { numBytes } = tf.memory();
  let peak = numBytes;
  engine.trackTensor = (...args) => {
    track.apply(engine, args);
    peak = Math.max(peak, tf.memory().numBytes);
  };
  return () => {
    engine.trackTensor = track;
    return peak - numBytes;
  };
}

const described = (method: Measurement['method']) =>
  typeof method === 'string' ? method : Object.entries(method).map(([name, value]) => `${name} ${value}`)[0]!;

const header = [
  '| network | weights | samples | method | backward rows | MS | standard error | time | on all cores | peak MB | exact |',
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
];

type Measured = Awaited<ReturnType<typeof measure>>;

function row(name: string, weights: number, method: string, measured: Measured): string {
  const { reading, processorSeconds, peakMB } = measured;
  const { samples, pairs, minimumSharpness, standardError, durationMs, exact, reliable } = reading;
  const cells = [
    name,
    weights.toLocaleString('en'),
    samples,
    method,
    pairs.toLocaleString('en'),
    minimumSharpness.toPrecision(4),
    standardError === 0 ? '0' : standardError.toPrecision(2) + (reliable ? '' : ', not reliable'),
    `${(durationMs / 1000).toFixed(1)} s`,
    `${processorSeconds.toFixed(1)} s`,
    peakMB.toFixed(0),
    exact ? 'yes' : 'Gauss-Newton',
  ];
  return `| ${cells.join(' | ')} |`;
}

await runWithOptions(usage, defaults, ['tensorflow', 'cpu'], async (options) => {
  const { only, size, samples, steps, memory, backend, results } = options;
  if (only !== 'all' && !Object.hasOwn(architectures, only)) {
    throw new Error(`--only must be one of ${Object.keys(architectures).join(', ')}, but it is '${only}'.`);
  }
  if (size !== 'real' && size !== 'small') {
    throw new Error(`--size must be real or small, but it is '${size}'.`);
  }
  const count = samples === '' ? undefined : Number(samples);
  if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
    throw new Error(`--samples must be a whole number of at least 1, but it is '${samples}'.`);
  }
  await startBackend(backend);

  const { binding } = tf.backend() as unknown as { binding?: { TF_Version: string } };
  const versions = `Node ${process.versions.node}, tf.js ${tf.version_core}`;
  const [{ model: processor }] = os.cpus() as [os.CpuInfo];
  const lines = [
    '# Networks of many kinds, measured',
    '',
    `\`npx tsx examples/architectures.ts ${process.argv.slice(2).join(' ')}\``.replace(' `', '`'),
    '',
    `${os.cpus().length} cores of ${processor}, ${os.type()} ${os.arch()}, ${versions}, ` +
      `${backend}${binding ? ` (TensorFlow ${binding.TF_Version})` : ''} backend. Random weights and inputs; ` +
      `${steps} training steps on ${BATCH} samples before, where tf.js can; memoryMB ${memory}.`,
    '',
    ...header,
  ];
  const assumptions: string[] = [];
  console.log(lines.join('\n'));
  const save = () => results && writeFileSync(results, `${[...lines, '', ...assumptions].join('\n')}\n`);

  for (const [name, architecture] of Object.entries(architectures)) {
    if (only !== 'all' && only !== name) {
      continue;
    }
    const subject = architecture[size]();
    await train(subject, steps);
    for (const { method, samples: usual } of architecture.measurements) {
      const measurement = { method, samples: count ?? (size === 'small' ? 4 : usual) };
      const measured = await measure(subject, measurement, memory);
      const line = row(name, subject.model.countParams(), described(method), measured);
      console.log(line);
      lines.push(line);
      const said = `- ${name}, ${described(method)}: ${measured.reading.assumptions.slice(0, 2).join(' ')}`;
      assumptions.push(said);
      save();
    }
    subject.model.dispose();
  }
  console.log(`\n${assumptions.join('\n')}`);
  console.log(`\nThe most memory that this program held: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB.`);
});

/**
 * What readings take on a GPU, by tfjs-node-gpu and by WebGPU (Dawn), against PyTorch, BackPACK and curvlinops on the same card.
 * Writes `gpu.md`, `gpu.svg` and `gpu.json`. Without a GPU it is a dry run on the processor: few images, and nothing kept.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { runWithOptions } from '../examples/shared/command-line.js';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { DEVICE } from './backend.js';
import { writeNetwork } from './exported-network.js';
import { type GpuReport, type GpuRow, gpuChart, gpuLines } from './gpu-report.js';
import { type Contestant, compare, ours, peer, write } from './kernel-turns.js';
import { named } from './named.js';
import { type NetworkName, network, networkNames } from './networks.js';
import { compare as compareToOnePercent, contestants as onePercentContestants } from './one-percent-turns.js';
import { resultsFolder, today, writeReport } from './report.js';
import { quantile } from './statistics.js';
import { isTrained, setWeights, trainedWeights } from './trained-network.js';

const dryFolder = '.cache/bench-gpu';

const usage = `usage: npm run bench:gpu -- [options]

Times readings on a GPU. benchmarks/gpu/pack.sh brings everything to a machine without a network. Where nvidia-smi finds no GPU this
is a dry run: tfjs-node on the processor, WebGPU on SwiftShader, PyTorch on the processor, with few images.

  --networks NAMES  which of ${networkNames.join(', ')}, with commas between (default: all); the rows of others stay
  --repeats N       how often the contestants take turns (default 3)
  --quick           few images, as in a dry run
  --out FOLDER      where the report goes (default ${resultsFolder}; of a dry run ${dryFolder})
  --help            show this text`;

const defaults = { networks: '', repeats: 3, quick: false as const, out: '', backend: '' };

/** Numbers of images, and epochs of training before the trace over 4,000 images is found to 1%. */
const settings: Record<NetworkName, { readonly images: readonly number[]; readonly epochs: readonly number[] }> = {
  SmallMLP: { images: [1000, 4000], epochs: [] },
  SmallCNN: { images: [1000, 4000], epochs: [] },
  LeNet: { images: [256, 4000], epochs: [20] },
  MLP: { images: [256, 4000], epochs: [60] },
};
const ALL = 4000;
/** Those of a dry run. */
const FEW = 10;
/** A contestant whose first turn takes longer does not go on, nor with turns that take as long together. */
const LIMIT_MS = 20_000;
/** The same, where shaders of an emulated GPU are compiled in the first turn. */
const DRY_LIMIT_MS = 60_000;

const root = fileURLToPath(new URL('../', import.meta.url));

/** Name and driver of the first NVIDIA GPU; null where there is none. */
function card(): { readonly name: string; readonly driver: string } | null {
  const { stdout } = spawnSync('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader'], {
    encoding: 'utf8',
  });
  const [name, driver] = (stdout ?? '').split('\n')[0]!.split(', ');
  return name && driver ? { name, driver } : null;
}

/** The version of this package with the commit it was at, which `gpu/pack.sh` writes down where there is no repository. */
function packageState(): string {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
  const packed = `${root}.cache/packed-commit`;
  const commit = existsSync(packed)
    ? readFileSync(packed, 'utf8')
    : spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout;
  return `tfjs-sharpness ${version}${commit?.trim() ? ` (${commit.trim()})` : ''}`;
}

const sampled = { method: { tolerance: 0.02 } };

/** Who takes part in one reading. The first that runs says what the others should find. */
const readingsOf = (native: string): readonly Contestant[] => [
  ours('tensorflow', `tfjs-sharpness, ${native}, exact`),
  ours('tensorflow', `tfjs-sharpness, ${native}, exact, memoryMB: 8192`, { options: { memoryMB: 8192 } }),
  ours('tensorflow', `tfjs-sharpness, ${native}, { tolerance: 0.02 }`, { options: sampled, exact: false }),
  ours('tensorflow', `model.predict, ${native}`, { options: 'predict', exact: false }),
  ours('webgpu', 'tfjs-sharpness, WebGPU, exact'),
  ours('webgpu', 'tfjs-sharpness, WebGPU, { tolerance: 0.02 }', { options: sampled, exact: false }),
  ours('webgpu', 'model.predict, WebGPU', { options: 'predict', exact: false }),
  peer('backpack-exact', 'BackPACK, DiagGGNExact', true),
  peer('backpack-mc', 'BackPACK, DiagGGNMC (1 draw)', false),
  peer('paper', "the paper's algorithm", true),
  peer('curvlinops-hutchinson', 'curvlinops, 100 GGN products', false),
  peer('forward-backward', 'PyTorch, forward and backward', false),
];

/** Who takes part in the trace to 1%: on tfjs-node, on WebGPU as well, and the others. */
function toOnePercentOf(native: string) {
  const [predict, tolerance, exact] = ['predict', 'tolerance', 'exact'].map(
    (id) => onePercentContestants.find((each) => each.id === id)!,
  );
  const peers = onePercentContestants.filter(({ isPeer }) => isPeer);
  const on = (place: string, backend: string) =>
    [tolerance!, exact!, predict!].map((each) => ({
      ...each,
      backend,
      title: each.title.replace(/^[^,]*, (for comparison)?/, (start) =>
        each === predict ? `model.predict, ${place}` : `${start}${place}, `,
      ),
    }));
  return [...on(native, 'tensorflow'), ...on('WebGPU', 'webgpu'), ...peers];
}

async function readings(
  name: NetworkName,
  samples: number,
  native: string,
  limits: Parameters<typeof compare>[2],
  versions: Record<string, string>,
): Promise<GpuRow[]> {
  const setting = { network: name, samples, folder: await write(name, samples) };
  const found = await compare(setting, readingsOf(native), limits, versions);
  return found.map(({ contestant: { title, exact }, repetitions, absent }) => {
    const ms = repetitions.map((each) => each.ms);
    const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(ms, share));
    const times =
      ms.length > 0 ? { ms: median!, low: low!, high: high! } : { absent: absent ?? 'took no turn in time' };
    return { part: 'reading', network: name, samples, epochs: 0, title, exact, ...times };
  });
}

async function toOnePercent(
  name: NetworkName,
  samples: number,
  epochs: number,
  native: string,
  { repeats, threads }: { repeats: number; threads: number },
  versions: Record<string, string>,
): Promise<GpuRow[]> {
  const chosen = toOnePercentOf(native);
  const row = { part: 'one-percent', network: name, samples, epochs } as const;
  if (epochs > 0 && !isTrained(name, samples, epochs)) {
    return chosen.map(({ title }) => ({ ...row, title, exact: false, absent: 'no trained weights' }));
  }
  const model = await network(name);
  setWeights(model, (await trainedWeights(name, samples, [epochs])).get(epochs)!);
  const { images, labels } = mnistDigits('train', samples);
  const folder = `${root}.cache/bench-one-percent/${name}-${samples}-${epochs}/`;
  writeNetwork(model, images, folder);
  const classes = tf.tidy(() => labels.argMax(1).dataSync());
  writeFileSync(`${folder}labels.u8`, Uint8Array.from(classes));
  tf.dispose([images, labels]);
  model.dispose();
  const setting = { network: name, epochs, samples, folder, backend: 'tensorflow' };
  const found = await compareToOnePercent(setting, chosen, { repeats, seconds: 2, threads }, versions);
  return found.map((each) => ({
    ...row,
    title: each.title,
    exact: each.title.includes('xact'),
    ...('absent' in each
      ? { absent: each.absent }
      : { ms: 1000 * each.seconds, ...(each.extrapolated && { extrapolated: true }) }),
  }));
}

await runWithOptions(usage, defaults, [''], async ({ networks, repeats, quick, out }) => {
  const found = card();
  const isDry = quick || !found;
  const folder = out || (found && !quick ? resultsFolder : dryFolder);
  Object.assign(process.env, {
    [DEVICE]: found ? 'cuda' : 'cpu',
    // All compute in float32, and share the card's memory.
    NVIDIA_TF32_OVERRIDE: '0',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  });
  await tf.setBackend('cpu');
  const names = named('networks', networks || (isDry ? 'SmallMLP' : networkNames.join()), networkNames);
  const native = found ? 'tfjs-node-gpu' : 'tfjs-node';
  const threads = os.cpus().length;
  const limits = { repeats: isDry ? 1 : repeats, limitMs: isDry ? DRY_LIMIT_MS : LIMIT_MS, threads, together: true };
  const file = resolve(folder, 'gpu.json');
  const date = today();
  const state = packageState();
  const earlier: GpuReport | null = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
  const goesOn = earlier?.card === (found?.name ?? null) && earlier.package === state && earlier.date === date;
  let rows: GpuRow[] = goesOn ? earlier.rows.filter((row) => !names.includes(row.network as NetworkName)) : [];
  const versions: Record<string, string> = goesOn ? { ...earlier.versions } : {};
  for (const name of names) {
    const { images, epochs } = isDry ? { images: [FEW], epochs: [0] } : settings[name];
    const own: GpuRow[] = [];
    for (const samples of images) {
      console.log(`${name}, ${samples} images`);
      own.push(...(await readings(name, samples, native, limits, versions)));
    }
    for (const epoch of epochs) {
      console.log(`${name}, ${epoch} epochs, to 1%`);
      own.push(...(await toOnePercent(name, isDry ? 4 * FEW : ALL, epoch, native, limits, versions)));
    }
    rows = [...rows, ...own].sort(
      (a, b) => networkNames.indexOf(a.network as NetworkName) - networkNames.indexOf(b.network as NetworkName),
    );
    // After every network, so that a run that is cut short leaves what it has.
    const report: GpuReport = {
      card: found?.name ?? null,
      driver: found?.driver ?? null,
      date,
      package: state,
      versions: { Node: process.versions.node, ...versions },
      ...(isDry && { note: 'A dry run with few images: it shows that everything runs, not how fast.' }),
      rows,
    };
    await writeReport(folder, 'gpu', gpuLines(report), gpuChart(report));
    writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
  }
  console.log(readFileSync(resolve(folder, 'gpu.md'), 'utf8'));
});

import type { MeasureMethod } from '../src/measure/options.js';
import type { BackendName } from './backend.js';
import type { Counts } from './counts.js';
import type { NetworkName } from './networks.js';
import { digits, table } from './report.js';

/** The methods that are counted. */
export const launchMethods: Readonly<Record<string, MeasureMethod>> = {
  exact: 'exact',
  '{ pairs: 256 }': { pairs: 256 },
  '{ tolerance: 0.01 }': { tolerance: 0.01 },
};

/** One reading that is counted. */
export interface LaunchSetting {
  readonly backend: BackendName;
  readonly network: NetworkName;
  readonly samples: number;
  /** One of `launchMethods`. */
  readonly method: string;
  /** Epochs that the network was trained for on as many images; 0: the weights of the golden cases. */
  readonly epochs: number;
  readonly memoryMB: number;
  /** On tfjs-node told that a GPU computes, as tfjs-node-gpu is: what would be launched there, and how often it would wait. */
  readonly asGpu?: true;
}

/** What a reading took. */
export interface CountedReading extends LaunchSetting, Counts {
  /** Pairs of sample and output column, all of them where the reading is exact. */
  readonly pairs: number;
}

/** Images of an exact reading and of a sampled one, by backend and network: what takes a second or less. */
const images: Readonly<Record<BackendName, Readonly<Record<NetworkName, readonly [exact: number, sampled: number]>>>> =
  {
    tensorflow: { SmallMLP: [1000, 4000], SmallCNN: [1000, 4000], LeNet: [256, 4000], MLP: [256, 4000] },
    wasm: { SmallMLP: [1000, 4000], SmallCNN: [4, 8], LeNet: [2, 8], MLP: [64, 256] },
    cpu: { SmallMLP: [100, 400], SmallCNN: [1, 2], LeNet: [1, 1], MLP: [4, 40] },
    webgpu: { SmallMLP: [100, 400], SmallCNN: [1, 4], LeNet: [1, 4], MLP: [16, 64] },
  };

/** Epochs after which a reading of 4,000 images is counted on tfjs-node as well. Training takes minutes. */
const trained: Partial<Record<NetworkName, readonly number[]>> = { LeNet: [5, 20], MLP: [10, 60] };

/** What is counted as on a GPU: sampled readings, which are many small launches. Memory holds all images in one chunk. */
const asGpu: Pick<LaunchSetting, 'network' | 'samples' | 'method'>[] = [
  { network: 'LeNet', samples: 4000, method: '{ pairs: 256 }' },
  { network: 'MLP', samples: 4000, method: '{ pairs: 256 }' },
];

/** What is counted on a backend. */
export function launchSettings(backend: BackendName): LaunchSetting[] {
  const memoryMB = backend === 'tensorflow' ? 1024 : 256;
  const setting = (network: string, samples: number, method: string, epochs: number): LaunchSetting => ({
    backend,
    network: network as NetworkName,
    samples,
    method,
    epochs,
    memoryMB,
  });
  const untrained = Object.entries(images[backend]).flatMap(([network, [exact, sampled]]) =>
    Object.keys(launchMethods).map((method) => setting(network, method === 'exact' ? exact : sampled, method, 0)),
  );
  const after = Object.entries(backend === 'tensorflow' ? trained : {}).flatMap(([network, epochs]) =>
    epochs.map((epoch) => setting(network, 4000, '{ tolerance: 0.01 }', epoch)),
  );
  const onGpu = (backend === 'tensorflow' ? asGpu : []).map(({ network, samples, method }): LaunchSetting => {
    return { ...setting(network, samples, method, 0), memoryMB: 8192, asGpu: true };
  });
  return [...untrained, ...after, ...onGpu];
}

/** Whether a setting takes about a second, so that a test can count it: no training, no long JavaScript, few shaders to compile. */
export function isQuick({ backend, network, method, epochs }: LaunchSetting): boolean {
  switch (backend) {
    case 'cpu':
      return network === 'SmallMLP' || network === 'MLP';
    case 'webgpu':
      return network === 'SmallMLP' || (network === 'SmallCNN' && method === 'exact');
    default:
      return epochs === 0;
  }
}

/** What a reading may cost more than the table says, so that other machines' last digits do not matter. */
const MARGIN = 1.03;

const limited: readonly (keyof Counts)[] = ['launches', 'reads', 'uploadedBytes', 'readBytes', 'peakBytes'];

const keyOf = ({ backend, network, samples, method, epochs, memoryMB, asGpu }: LaunchSetting) =>
  JSON.stringify([backend, network, samples, method, epochs, memoryMB, asGpu === true]);

/** Which counts are higher than those of the table, a line each; also what the table lacks. */
export function grown(found: readonly CountedReading[], committed: readonly CountedReading[]): string[] {
  const known = new Map(committed.map((reading) => [keyOf(reading), reading]));
  return found.flatMap((reading) => {
    const title = `${reading.backend}, ${reading.network}, ${reading.samples} images, ${reading.method}${reading.asGpu ? ', as on a GPU' : ''}`;
    const before = known.get(keyOf(reading));
    if (!before) {
      return [`${title}: not in the table`];
    }
    return limited
      .filter((name) => reading[name] > MARGIN * before[name])
      .map((name) => `${title}: ${reading[name]} ${name}, in the table ${before[name]}`);
  });
}

const titles: Readonly<Record<BackendName, string>> = {
  tensorflow: 'native (tfjs-node)',
  wasm: 'wasm',
  cpu: 'cpu',
  webgpu: 'webgpu',
};

const kilobytes = (bytes: number) => digits(bytes / 1024);

/** The table of each backend. */
export function launchTables(readings: readonly CountedReading[]): string[] {
  const backends = [...new Set(readings.map(({ backend }) => backend))];
  return backends.flatMap((backend) => [
    '',
    `## ${titles[backend]}`,
    '',
    ...table(
      ['network', 'images', 'method', 'pairs', 'launches', 'reads', 'KB up', 'KB read', 'peak MB'],
      readings
        .filter((reading) => reading.backend === backend)
        .map(({ network, epochs, samples, method, pairs, asGpu, ...counts }) => [
          `${network}${epochs === 0 ? '' : `, ${epochs} epochs`}${asGpu ? ', as on a GPU' : ''}`,
          `${samples}`,
          method === 'exact' ? method : `\`${method}\``,
          `${pairs}`,
          `${counts.launches}`,
          `${counts.reads}`,
          kilobytes(counts.uploadedBytes),
          kilobytes(counts.readBytes),
          digits(counts.peakBytes / 2 ** 20),
        ]),
    ),
  ]);
}

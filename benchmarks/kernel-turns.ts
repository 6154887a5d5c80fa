import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { type Child, type Repetition, startChild, takeTurn } from './child.js';
import { writeNetwork } from './exported-network.js';
import { type NetworkName, network } from './networks.js';

const root = fileURLToPath(new URL('../', import.meta.url));
/** The interpreter that has PyTorch and the packages to compare with. */
export const python = `${root}.cache/peers/bin/python`;

/** A way to the trace of the loss Hessian. */
export interface Contestant {
  readonly id: string;
  readonly title: string;
  /** Its trace has no sampling error, and has to agree with ours. */
  readonly exact: boolean;
  readonly isPeer: boolean;
  readonly start: (setting: Setting) => [command: string, args: string[]];
}

export interface Setting {
  readonly network: NetworkName;
  readonly samples: number;
  /** Where network and images lie for the Python side. */
  readonly folder: string;
}

/** Our reading on a backend. */
export const ours = (
  backend: string,
  title: string,
  { id = backend, options = {}, exact = true }: { id?: string; options?: object | 'predict'; exact?: boolean } = {},
): Contestant => ({
  id,
  title,
  exact,
  isPeer: false,
  start: ({ network, samples }) => [
    process.execPath,
    ['--import', 'tsx', `${root}benchmarks/kernel-reading.ts`, backend, network, `${samples}`, JSON.stringify(options)],
  ],
});

/** One of `kernel-peers.py`. */
export const peer = (id: string, title: string, exact: boolean): Contestant => ({
  id,
  title,
  exact,
  isPeer: true,
  start: ({ folder }) => [python, [`${root}benchmarks/kernel-peers.py`, id, folder]],
});

/** What each contestant runs before its turns: as many repetitions as go into the time, but no more than so many. */
export const WARM_UP_MS = 2000;
export const WARM_UP_TURNS = 100;
/** Python imports, and the trial of contestants that need one product for every weight. */
const START_MS = 180_000;
/** Relative deviation of an exact contestant's trace from ours that ends the benchmark. */
const TOLERANCE = 1e-3;

/** What one contestant took for one setting. */
export interface Result {
  readonly setting: Setting;
  readonly contestant: Contestant;
  /** Empty where it did not take part. */
  readonly repetitions: readonly Repetition[];
  /** Trace over ours, minus 1. */
  readonly deviation?: number;
  /** Why it did not take part. */
  readonly absent?: string;
}

/** Writes a network and its images where the Python side reads them. */
export async function write(name: NetworkName, samples: number): Promise<string> {
  const folder = `${root}.cache/bench-kernel/${name}-${samples}/`;
  const model = await network(name);
  const { images } = mnistDigits('train', samples);
  writeNetwork(model, images, folder);
  tf.dispose(images);
  model.dispose();
  return folder;
}

/** Repeats for a while what does not count: just-in-time compilers, thread pools and caches settle. */
async function warmUp(child: Child, ms: number, limitMs: number): Promise<void> {
  for (let turn = 0; turn < Math.min(WARM_UP_TURNS, WARM_UP_MS / ms); turn++) {
    await child.repeat(2 * limitMs);
  }
}

interface Limits {
  readonly repeats: number;
  readonly limitMs: number;
  readonly threads: number;
  readonly together?: boolean;
}

/**
 * All contestants on one setting. Their first turn shows whether they agree and how long they take.
 *
 * @param limits `limitMs`: a contestant whose first turn takes longer does not go on, and the turns of one take no longer together;
 *   `together`: they start at once, which takes less time and more cores.
 * @param versions filled with what the contestants run on.
 */
export async function compare(
  setting: Setting,
  chosen: readonly Contestant[],
  { repeats, limitMs, threads, together = false }: Limits,
  versions: Record<string, string>,
): Promise<Result[]> {
  const taking: { contestant: Contestant; child: Child; turns: number; firstMs: number; repetitions: Repetition[] }[] =
    [];
  const stopAll = () => Promise.all(taking.map(({ child }) => child.stop()));
  const absent: Result[] = [];
  let reference: number | undefined;
  const deviations = new Map<string, number>();
  const start = (contestant: Contestant) => startChild(...contestant.start(setting), START_MS, threads);
  const starting = together ? chosen.map(start) : [];
  for (const [i, contestant] of chosen.entries()) {
    const leave = (reason: string) => absent.push({ setting, contestant, repetitions: [], absent: reason });
    const child = await (starting[i] ?? start(contestant));
    if ('infeasible' in child.ready) {
      leave(child.ready.infeasible);
      await child.stop();
      continue;
    }
    Object.assign(versions, child.ready.versions);
    const first = await child.repeat(limitMs);
    if (!first) {
      const [error] = /^\S*Error: .*$/m.exec(child.complaint()) ?? [];
      leave(error ? `failed: ${error}` : `more than ${limitMs / 1000} s`);
      continue;
    }
    reference ??= first.trace;
    const deviation = first.trace / reference - 1;
    deviations.set(contestant.id, deviation);
    if (contestant.exact && Math.abs(deviation) > TOLERANCE) {
      await Promise.all([child.stop(), stopAll()]);
      throw new Error(`${contestant.title} finds the trace ${first.trace} for ${setting.network}, not ${reference}.`);
    }
    await warmUp(child, first.ms, limitMs);
    const turns = Math.max(1, Math.min(repeats, Math.floor(limitMs / first.ms)));
    taking.push({ contestant, child, turns, firstMs: first.ms, repetitions: [] });
  }
  for (let turn = 0; turn < repeats; turn++) {
    for (const { child, turns, firstMs, repetitions } of taking) {
      if (turn >= turns) {
        continue;
      }
      repetitions.push(...((await takeTurn(child, firstMs, 2 * limitMs)) ?? []));
    }
  }
  await stopAll();
  const found = taking.map(({ contestant, repetitions }) => ({
    setting,
    contestant,
    repetitions,
    deviation: deviations.get(contestant.id),
  }));
  return chosen.flatMap((each) => [...found, ...absent].filter(({ contestant }) => contestant === each));
}

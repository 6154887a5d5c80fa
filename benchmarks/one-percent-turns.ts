import { fileURLToPath } from 'node:url';
import { type Repetition, startChild, takeTurn } from './child.js';
import { python } from './kernel-turns.js';
import type { NetworkName } from './networks.js';
import { digits, duration } from './report.js';
import { mean, median, variance } from './statistics.js';

const root = fileURLToPath(new URL('../', import.meta.url));
/** Python imports, and the search for the fastest batch. */
const START_MS = 300_000;
const TURN_MS = 300_000;
const TOLERANCE = 0.01;

/** One turn: the trace of the mean loss over so many images. */
export interface Turn extends Repetition {
  readonly images: number;
  /** Minimum Sharpness, of ours over all images. */
  readonly sharpness?: number;
  /** Of one random draw over all images. */
  readonly variance?: number;
}

/** How many turns a contestant needs, and where that figure is from. */
interface Need {
  readonly turns: number;
  readonly how: string;
}

interface Exact {
  readonly trace: number;
  readonly sharpness: number;
}

/** A way to the trace over a whole set. */
export interface Contestant {
  readonly id: string;
  readonly title: string;
  readonly isPeer: boolean;
  /** Of tf.js, where it is not that of all. */
  readonly backend?: string;
  /** Turns that have to be taken, however long they last: spreads are made of them. */
  readonly least: number;
  /**
   * @param turns all that were taken, in their order.
   * @param exact the exact values, over all images.
   */
  readonly need: (turns: readonly Turn[], exact: Exact, samples: number) => Need;
}

const whole = (how: string) => () => ({ turns: 1, how });

/** Turns that it takes until the mean of independent ones has a standard error of 1%. */
const independent = (spread: number, trace: number) => spread / (TOLERANCE * trace) ** 2;

export const contestants: readonly Contestant[] = [
  {
    id: 'predict',
    title: 'model.predict, for comparison',
    isPeer: false,
    least: 1,
    need: ([{ images }]: readonly Turn[]) => ({ turns: 1, how: `batches of ${images}` }),
  },
  {
    id: 'tolerance',
    title: 'tfjs-sharpness, { tolerance: 0.01 }',
    isPeer: false,
    least: 5,
    need: (turns, exact) => {
      const [sharpness, trace] = (['sharpness', 'trace'] as const).map((key) =>
        Math.sqrt(mean(turns.map((turn) => ((turn[key] as number) / exact[key] - 1) ** 2))),
      ) as [number, number];
      return {
        turns: 1,
        how: `error over ${turns.length} readings: MS ${percent(sharpness)}, trace ${percent(trace)}`,
      };
    },
  },
  {
    id: 'exact',
    title: 'tfjs-sharpness, exact',
    isPeer: false,
    least: 1,
    need: whole('no error'),
  },
  {
    id: 'minibatches',
    title: 'tfjs-sharpness, random minibatches',
    isPeer: false,
    least: 8,
    need: (turns, { trace }, samples) => {
      const size = turns[0]!.images;
      const replaced = independent(variance(turns.map((turn) => turn.trace)), trace);
      // Without replacement, a mean of all batches has no error.
      const count = Math.max(1, replaced / (1 + (replaced * size) / samples));
      return { turns: count, how: `${(count * size).toFixed(0)} of ${samples} images` };
    },
  },
  {
    id: 'backpack-exact',
    title: 'BackPACK, DiagGGNExact',
    isPeer: true,
    least: 1,
    need: ([{ images }]: readonly Turn[], _exact, samples) => ({
      turns: samples / images,
      how: `no error, batches of ${images}`,
    }),
  },
  {
    id: 'backpack-mc',
    title: 'BackPACK, DiagGGNMC',
    isPeer: true,
    least: 3,
    need: ([{ images, variance: ofOneDraw }]: readonly Turn[], { trace }, samples) => {
      const draws = Math.max(1, independent(ofOneDraw as number, trace));
      return { turns: (draws * samples) / images, how: `${digits(draws)} draws for each image, batches of ${images}` };
    },
  },
  {
    id: 'pyhessian',
    title: 'PyHessian, products with random vectors',
    isPeer: true,
    least: 3,
    need: (turns, { trace }) => {
      const count = Math.max(1, independent(variance(turns.map((turn) => turn.trace)), trace));
      return { turns: count, how: `${digits(count)} products` };
    },
  },
];

/** What one contestant takes for one network. */
export interface Result {
  readonly network: NetworkName;
  readonly epochs: number;
  readonly title: string;
  readonly isOurs: boolean;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** More turns than were taken: their median time many times over. */
  readonly extrapolated: boolean;
  readonly how: string;
}

/** One that did not take part, and why. */
export interface Absent {
  readonly title: string;
  readonly absent: string;
}

const percent = (share: number) => `${(100 * share).toFixed(2)}%`;

/** All contestants on one network take turns. The first that is exact says what the others should find. */
export async function compare(
  setting: { network: NetworkName; epochs: number; samples: number; folder: string; backend: string },
  chosen: readonly Contestant[],
  { repeats, seconds, threads }: { repeats: number; seconds: number; threads: number },
  versions: Record<string, string>,
): Promise<(Result | Absent)[]> {
  const { network, epochs, samples, folder, backend } = setting;
  const starting = chosen.map(async (contestant) => {
    const [command, args] = contestant.isPeer
      ? [python, [`${root}benchmarks/one-percent-peers.py`, contestant.id, folder]]
      : [
          process.execPath,
          [
            '--import',
            'tsx',
            `${root}benchmarks/one-percent-reading.ts`,
            contestant.id,
            contestant.backend ?? backend,
            network,
            folder,
          ],
        ];
    return { contestant, child: await startChild<Turn>(command, args, START_MS, threads), turns: [] as Turn[] };
  });
  const started = await Promise.all(starting);
  const absent = new Map<Contestant, string>();
  const taking = started.filter(({ contestant, child: { ready } }) => {
    if ('infeasible' in ready) {
      absent.set(contestant, ready.infeasible);
      return false;
    }
    Object.assign(versions, ready.versions);
    return true;
  });
  try {
    for (let turn = 0; turn <= repeats; turn++) {
      for (const { contestant, child, turns } of taking) {
        const spent = turns.reduce((sum, { ms }) => sum + ms, 0);
        if (absent.has(contestant)) {
          continue;
        }
        if (turns.length > contestant.least && spent > 1000 * seconds) {
          continue;
        }
        // The first turn is one repetition, which warms up: its value counts, its time does not.
        const taken = await takeTurn(child, turns.at(-1)?.ms ?? Number.POSITIVE_INFINITY, TURN_MS);
        if (taken) {
          turns.push(...taken);
        } else {
          absent.set(contestant, /^\S*Error: .*$/m.exec(child.complaint())?.[0] ?? 'took no turn in time');
        }
      }
    }
  } finally {
    await Promise.all(started.map(({ child }) => child.stop()));
  }
  const exact = taking.find(({ contestant }) => contestant.id === 'exact' && !absent.has(contestant))?.turns[0];
  return started.map(({ contestant, turns }) => {
    const { title, isPeer, need } = contestant;
    const reason = absent.get(contestant) ?? (exact ? undefined : 'there is no exact value to compare with');
    if (reason !== undefined) {
      console.log(`  ${title}: ${reason}`);
      return { title, absent: reason };
    }
    const needed = need(turns, exact as Turn & Exact, samples);
    const times = turns.slice(1);
    const result = {
      network,
      epochs,
      title,
      isOurs: !isPeer,
      seconds: (needed.turns * median(times.map(({ ms }) => ms))) / 1000,
      cpuSeconds: (needed.turns * median(times.map(({ cpuMs }) => cpuMs))) / 1000,
      extrapolated: needed.turns > turns.length,
      how: needed.how,
    };
    console.log(`  ${title}: ${time(result)} (${needed.how})`);
    return result;
  });
}

export const time = ({ seconds, extrapolated }: Result) => `${extrapolated ? '≈ ' : ''}${duration(seconds)}`;

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cheapestShare, type Ways } from '../../src/measure/cheapest-share.js';
import { modelAssignment } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import { type Task, withTask } from '../../src/measure/task.js';
import { setGoldenWeights } from './golden-network.js';

const { layers } = tfl;

let model: tfl.LayersModel;
let x: tf.Tensor2D;
/** What the clock says, in ms. */
let time: number;

beforeEach(() => {
  model = tfl.sequential({
    layers: [layers.dense({ units: 4, activation: 'relu', inputShape: [5] }), layers.dense({ units: 3 })],
  });
  setGoldenWeights(model, 7);
  x = tf.randomUniform([2000, 5], -1, 1, 'float32', 3);
  time = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => time);
});
afterEach(() => {
  vi.restoreAllMocks();
  x.dispose();
  model.dispose();
});

const TOLERANCE = 0.02;

interface Found {
  readonly sample: { readonly samples: number };
  readonly nextPairs?: number;
  readonly way: string;
}

/** What each way takes, in chunks of a tenth; which were begun, and with how many pairs. */
function fakeWays(ms: { exact: number; sampled: number }, { wantsAll = false, nextPairs = 300 } = {}) {
  const begun: string[] = [];
  const run = async ({ pause }: Task, way: 'exact' | 'sampled') => {
    for (let rows = 1; rows <= 10; rows++) {
      time += ms[way] / 10;
      await pause(200 * rows, { rows, totalRows: 10 });
    }
    return { sample: { samples: 2000 }, way };
  };
  const ways: Ways<Found> = {
    exact(task) {
      begun.push('exact');
      return run(task, 'exact');
    },
    async sampled(task, pairs, all) {
      begun.push(`${pairs} pairs`);
      return wantsAll ? all() : { ...(await run(task, 'sampled')), nextPairs };
    },
  };
  return { ways, begun };
}

/** One reading. The network is small: the first choice is exact. */
function reading(ways: Ways<Found>, options: MeasureOptions = {}, inputs: unknown = x, tolerance = TOLERANCE) {
  const assignment = modelAssignment(model, inputs, { loss: 'softmaxCrossEntropy', ...options });
  return withTask(assignment, (task) => cheapestShare(task, tolerance, 256, ways));
}

async function readings(count: number, ways: Ways<Found>, options: MeasureOptions = {}) {
  const found: string[] = [];
  for (let i = 0; i < count; i++) {
    found.push((await reading(ways, options)).way);
  }
  return found;
}

describe('cheapestShare', () => {
  it('turns to the way that turns out to cost less, and begins with as many pairs as the last one says', async () => {
    const { ways, begun } = fakeWays({ exact: 900, sampled: 90 });
    const found = await readings(6, ways);
    expect(found).toEqual(['exact', 'exact', 'sampled', 'sampled', 'sampled', 'sampled']);
    expect(begun.slice(2)).toEqual(['256 pairs', '300 pairs', '300 pairs', '300 pairs']);
  });

  it('stays with the way that costs less, and never begins with fewer pairs than others do', async () => {
    const { ways, begun } = fakeWays({ exact: 9, sampled: 90 }, { nextPairs: 20 });
    expect(await readings(20, ways)).toEqual(Array(20).fill('exact'));
    expect(begun).toEqual(Array(20).fill('exact'));
    const other = fakeWays({ exact: 900, sampled: 90 }, { nextPairs: 20 });
    await readings(9, other.ways);
    expect(other.begun.at(-1)).toBe('256 pairs');
  });

  it('knows networks, tolerances, sizes of the data and budgets apart', async () => {
    const { ways, begun } = fakeWays({ exact: 900, sampled: 90 });
    await readings(6, ways);
    begun.length = 0;
    const few = tf.slice(x, 0, 600);
    await reading(ways, {}, x, 0.05);
    await reading(ways, { memoryMB: 100 });
    await reading(ways, {}, few);
    expect(begun).toEqual(['exact', 'exact', 'exact']);
    // Another set of about the same size is no other kind.
    const most = tf.slice(x, 0, 1800);
    await reading(ways, {}, most);
    expect(begun.at(-1)).toBe('300 pairs');
    tf.dispose([few, most]);
  });

  it('gives a trial up that takes too long, as soon as that is clear, and does not report it', async () => {
    const cheap = fakeWays({ exact: 900, sampled: 800 });
    await readings(2, cheap.ways);
    const dear = fakeWays({ exact: 900, sampled: 90_000 });
    const progress: number[] = [];
    const start = time;
    for (let i = 0; i < 2; i++) {
      await reading(dear.ways, { onProgress: ({ rows }) => progress.push(rows) });
    }
    // Each of two trials one chunk, which takes more than it may already.
    expect(dear.begun).toEqual(['256 pairs', 'exact', 'exact']);
    expect(time - start).toBe(9000 + 2 * 900);
    expect(progress).toEqual([...Array(2)].flatMap(() => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
  });

  it('reports a trial once it is done', async () => {
    const { ways, begun } = fakeWays({ exact: 900, sampled: 90 });
    await readings(2, ways);
    const rows: number[] = [];
    await reading(ways, { onProgress: (progress) => rows.push(progress.rows) });
    expect(begun.at(-1)).toBe('256 pairs');
    expect(rows).toEqual([10]);
  });

  it('does not take an error of the callback of a user for one of the trial', async () => {
    const { ways, begun } = fakeWays({ exact: 900, sampled: 90 });
    await readings(2, ways);
    const onProgress = () => {
      throw new Error('mine');
    };
    await expect(reading(ways, { onProgress })).rejects.toThrow('mine');
    expect(begun).toEqual(['exact', 'exact', '256 pairs']);
    // What the trial has shown is known all the same.
    expect((await reading(ways)).way).toBe('sampled');
  });

  it('is no worse off for a trial that fails', async () => {
    const { ways, begun } = fakeWays({ exact: 900, sampled: 90 });
    await readings(2, ways);
    const failing: Ways<Found> = {
      exact: ways.exact,
      async sampled() {
        begun.push('failed');
        time += 700;
        throw new RangeError('memoryMB: 1 is too small');
      },
    };
    expect(await readings(8, failing)).toEqual(Array(8).fill('exact'));
    expect(begun.filter((each) => each === 'failed')).toHaveLength(2);
  });

  it('remembers a trial where the reading is ended', async () => {
    const { ways, begun } = fakeWays({ exact: 900, sampled: 90 });
    await readings(2, ways);
    const stop = new AbortController();
    const stopping: Ways<Found> = {
      exact: ways.exact,
      async sampled(task) {
        begun.push('stopped');
        time += 100_000;
        stop.abort(new Error('enough'));
        await task.pause(0);
        throw new Error('went on');
      },
    };
    await expect(reading(stopping, { signal: stop.signal })).rejects.toThrow('enough');
    expect(begun.at(-1)).toBe('stopped');
    await reading(ways);
    expect(begun.at(-1)).toBe('exact');
  });

  it('lets errors of its choice through, and learns nothing of them', async () => {
    const { ways } = fakeWays({ exact: 900, sampled: 90 });
    const failing: Ways<Found> = {
      ...ways,
      exact: async () => {
        throw new Error('broken');
      },
    };
    for (let i = 0; i < 3; i++) {
      await expect(reading(failing)).rejects.toThrow('broken');
    }
    expect(await readings(3, ways)).toEqual(['exact', 'exact', 'sampled']);
  });

  it('draws first from a dataset, whose length nobody knows, and then what it knows of it', async () => {
    const dataset = {
      iterator: async () => {
        let done = false;
        return {
          next: async () => {
            const now = done;
            done = true;
            return { value: now ? null : tf.clone(x), done: now };
          },
        };
      },
    };
    const { ways, begun } = fakeWays({ exact: 9, sampled: 90 });
    for (let i = 0; i < 5; i++) {
      await reading(ways, {}, dataset);
    }
    expect(begun.slice(0, 2)).toEqual(['256 pairs', '300 pairs']);
    expect(begun.slice(2)).toEqual(['exact', 'exact', 'exact']);
    const { begun: ofOther, ways: again } = fakeWays({ exact: 9, sampled: 90 });
    await reading(again, {}, { ...dataset });
    expect(ofOther).toEqual(['256 pairs']);
  });

  it('measures every pair from then on where all were wanted', async () => {
    const cheap = fakeWays({ exact: 900, sampled: 90 });
    await readings(6, cheap.ways);
    const { ways, begun } = fakeWays({ exact: 900, sampled: 90 }, { wantsAll: true });
    await readings(3, ways);
    expect(begun).toEqual(['300 pairs', 'exact', 'exact', 'exact']);
  });
});

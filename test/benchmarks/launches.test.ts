import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, test } from 'vitest';
import type { BackendName } from '../../benchmarks/backend.js';
import { committedCounts } from '../../benchmarks/counted-backend.js';
import { countedReading } from '../../benchmarks/counted-reading.js';
import { counted } from '../../benchmarks/counts.js';
import { grown, isQuick, launchSettings } from '../../benchmarks/launch-settings.js';

const backend = tf.getBackend() as BackendName;
const settings = launchSettings(backend).filter(isQuick);

it.each(
  settings.map(
    (setting) => [`${setting.network}, ${setting.method}${setting.asGpu ? ', as on a GPU' : ''}`, setting] as const,
  ),
)('a reading costs no more than the table says: %s', async (_, setting) => {
  const found = await countedReading(setting);
  expect(grown([found], committedCounts()), 'On purpose? npm run bench:launches writes the table anew.').toEqual([]);
});

test('the table has every setting, and no other', () => {
  const ofTable = committedCounts().filter((reading) => reading.backend === backend);
  expect(ofTable).toMatchObject(launchSettings(backend));
});

test.runIf(backend === 'tensorflow')('on a GPU a sampled reading of 4,000 images is few launches', () => {
  const launchesOf = (network: string) =>
    committedCounts().find((reading) => reading.asGpu && reading.network === network)?.launches;
  expect(launchesOf('LeNet')).toBeLessThanOrEqual(250);
  expect(launchesOf('MLP')).toBeLessThanOrEqual(80);
});

describe('what is counted', () => {
  it('is launches, reads and bytes of them alone', async () => {
    const x = tf.ones([100]);
    const counts = await counted(async () => {
      const sum = tf.tidy(() =>
        tf
          .square(x)
          .add(tf.tensor1d([2]))
          .sum(),
      );
      await sum.data();
      sum.dispose();
    });
    // Square, Add and Sum; tfjs-node's Sum takes its axes as a tensor.
    const isNative = backend === 'tensorflow';
    expect(counts).toMatchObject({ launches: 3, reads: 1, readBytes: 4, uploadedBytes: isNative ? 8 : 4 });
    // The square is still there when the sum with 2 comes to be.
    expect(counts.peakBytes).toBeGreaterThan(800);
    expect(counts.peakBytes).toBeLessThan(1000);
    x.dispose();
  });

  it('leaves no trace, also where something throws', async () => {
    const now = performance.now;
    const { trackTensor } = tf.engine();
    await expect(counted(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(performance.now).toBe(now);
    expect(tf.engine().trackTensor).toBe(trackTensor);
    expect(performance.now()).toBeGreaterThan(10);
  });

  it('is told where it has grown, and where the table lacks it', () => {
    const reading = { ...committedCounts()[0]!, launches: 100, reads: 2 };
    expect(grown([reading], [reading])).toEqual([]);
    expect(grown([{ ...reading, launches: 103 }], [reading])).toEqual([]);
    expect(grown([{ ...reading, launches: 104, reads: 3 }], [reading])).toEqual([
      expect.stringContaining('104 launches, in the table 100'),
      expect.stringContaining('3 reads, in the table 2'),
    ]);
    expect(grown([{ ...reading, samples: 3 }], [reading])).toEqual([expect.stringContaining('not in the table')]);
  });
});

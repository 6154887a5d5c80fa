import { describe, expect, it, vi } from 'vitest';
import type { ClosedFormTraces } from '../../../src/traces/pairs/closed-form.js';
import { growingSample, type PairSource, type SampleSize } from '../../../src/traces/pairs/growing-sample.js';
import type { PairKernel, PairRows } from '../../../src/traces/pairs/pair-kernel.js';
import type { SampledTraces } from '../../../src/traces/pairs/sampled-traces.js';
import { paretoSample } from '../../../src/traces/sampling/pareto.js';

const PAIRS = 100;
const [sampled, none]: ClosedFormTraces[] = [
  { sums: [null, 30], ofSamples: [[], [1, 2]] },
  { sums: [7, 30], ofSamples: [[], []] },
];

/** Pairs of which the first ones are drawn, and a kernel that finds 1000 + i for the pair i, in chunks of 40. */
function problem(options: Partial<PairSource> = {}) {
  const run: number[] = [];
  const draws: number[] = [];
  const kernel: PairKernel = {
    parameters: [],
    async *traces(length, shapes, rows) {
      expect(shapes).toEqual([[2]]);
      for (let begin = 0; begin < length; begin += 40) {
        const { columns } = rows(begin, Math.min(40, length - begin));
        run.push(...columns);
        yield [Float64Array.from(columns, (i) => 1000 + i), new Float64Array(columns.length).fill(9)];
      }
    },
  };
  const source: PairSource = {
    samples: 50,
    population: undefined,
    shapes: [[2]],
    largest: PAIRS,
    allBeyond: false,
    *drawing(count) {
      draws.push(count);
      const indices = Array.from({ length: count }, (_, i) => i);
      return { indices, inclusion: indices.map(() => count / PAIRS) };
    },
    sampleOf: (pair) => Math.floor(pair / 2),
    rows: (indices): PairRows => ({ inputs: [], columns: indices }),
    ...options,
  };
  return { kernel, source, run, draws };
}

const size = (pairs: number, enough: SampleSize['enough'] = () => true): SampleSize => ({ pairs, grows: true, enough });
const noPause = async () => {};

describe('growingSample', () => {
  it('is ended at a turn of the event loop while it draws, before anything is run', async () => {
    const { kernel, source, run, draws } = problem({
      *drawing(count) {
        yield;
        return paretoSample(new Float32Array(PAIRS).fill(1), count, () => 0.5);
      },
    });
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 200;
      return now;
    });
    const pause = async () => {
      throw new Error('enough');
    };
    await expect(growingSample(kernel, source, sampled!, size(60), pause)).rejects.toThrow('enough');
    clock.mockRestore();
    expect([draws, run]).toEqual([[], []]);
  });

  it('stops where the first sample will do', async () => {
    const { kernel, source, run, draws } = problem();
    const pauses: number[] = [];
    const sample = await growingSample(kernel, source, sampled!, size(60), async (samples) => {
      pauses.push(samples);
    });
    expect(draws).toEqual([60]);
    expect(run).toHaveLength(60);
    expect(pauses).toEqual([50, 50]);
    expect(sample).toEqual({
      samples: 50,
      pairs: 60,
      closedForm: [null, 30],
      inclusion: Array(60).fill(0.6),
      traces: [Array.from({ length: 60 }, (_, i) => 1000 + i), []],
    });
  });

  it('grows by half until one will do, and runs each pair once', async () => {
    const { kernel, source, run, draws } = problem();
    const seen: SampledTraces[] = [];
    const enough = (sample: SampledTraces) => seen.push(sample) === 4;
    const sample = await growingSample(kernel, source, sampled!, size(11, enough), noPause);
    expect(draws).toEqual([11, 17, 26, 39]);
    expect(seen.map(({ pairs }) => pairs)).toEqual(draws);
    expect(run).toEqual(Array.from({ length: 39 }, (_, i) => i));
    expect(sample!.traces[0]).toEqual(run.map((i) => 1000 + i));
  });

  it('stays with the largest sample of a source, or gives up where all are measured cheaper', async () => {
    const never = size(50, () => false);
    const staying = problem({ largest: 90 });
    expect((await growingSample(staying.kernel, staying.source, sampled!, never, noPause))!.pairs).toBe(90);
    expect(staying.draws).toEqual([50, 75, 90]);
    const leaving = problem({ largest: 90, allBeyond: true });
    expect(await growingSample(leaving.kernel, leaving.source, sampled!, never, noPause)).toBeNull();
    expect(leaving.draws).toEqual([50, 75]);
  });

  it('draws nothing where every block is known', async () => {
    const { kernel, source, draws } = problem();
    const sample = await growingSample(kernel, source, none!, size(60), noPause);
    expect(sample).toEqual({ samples: 50, pairs: 0, closedForm: [7, 30], inclusion: [], traces: [[], []] });
    expect(draws).toEqual([]);
  });

  it('says of a part of the samples whose pairs were drawn', async () => {
    const { kernel, source } = problem({ population: () => 400 });
    const sample = await growingSample(kernel, source, sampled!, size(5), noPause);
    expect(sample!.part).toEqual({ population: 400, closedForm: sampled!.ofSamples, sampleOf: [0, 0, 1, 1, 2] });
  });
});

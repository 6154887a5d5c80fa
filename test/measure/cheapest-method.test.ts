import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  type Experience,
  experienceOf,
  firstChoice,
  learned,
  NO_EXPERIENCE,
  planOf,
  type Situation,
  type Way,
} from '../../src/measure/cheapest-method.js';

const speed = { passMs: 8, productsInMs: 2 ** 26, firstRun: 2 };
const medium: Situation = { samples: 1000, columns: 9, products: 250_000, pairs: 256, speed, canTurn: true };
const large: Situation = { ...medium, products: 2 ** 40 };

interface Costs {
  readonly exact: number;
  readonly sampled: number;
}

/** Readings whose ways cost so much in ms, the first run of each `cold` times as much: how they went, and what they took in all. */
function readings(
  count: number,
  costsOf: (reading: number) => Costs,
  {
    situation = medium,
    cold = 2,
    from = NO_EXPERIENCE,
  }: { situation?: Situation; cold?: number; from?: Experience } = {},
) {
  let experience = from;
  const went: Way[] = [];
  const tried: Way[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const { way, trial } = planOf(experience, situation);
    const costs = costsOf(i);
    const cost = (way: Way) => costs[way] * (experience[way].runs === 0 ? cold : 1);
    const other: Way = way === 'exact' ? 'sampled' : 'exact';
    if (trial) {
      tried.push(way);
    }
    if (trial && cost(way) > trial.atMost) {
      went.push(other);
      total += trial.atMost + cost(other);
      const ms = { [way]: cost(way), [other]: cost(other) };
      experience = learned(experience, { choice: other, ms, wantedAll: false });
    } else {
      went.push(way);
      total += cost(way);
      experience = learned(experience, { choice: trial ? other : way, ms: { [way]: cost(way) }, wantedAll: false });
    }
  }
  return { went, tried, total, experience };
}

const always = (costs: Costs) => () => costs;
const only = (way: Way, count: number) => Array<Way>(count).fill(way);

describe('the first reading', () => {
  it('is exact where launches are what costs, and sampled where products are', () => {
    expect(firstChoice({ ...medium, products: 10_000 })).toBe('exact');
    expect(firstChoice(medium)).toBe('sampled');
    // A faster backend does not mind products; with one column there are few to leave out.
    expect(firstChoice({ ...medium, speed: { ...speed, productsInMs: 2 ** 31 } })).toBe('exact');
    expect(firstChoice({ ...medium, columns: 1 })).toBe('exact');
    // Many pairs are wanted.
    expect(firstChoice({ ...medium, pairs: 3000 })).toBe('exact');
  });

  it.each(['samples', 'columns', 'products'] as const)('is sampled where %s are not known', (unknown) => {
    expect(firstChoice({ ...medium, [unknown]: Number.POSITIVE_INFINITY })).toBe('sampled');
  });
});

describe('the later ones', () => {
  it('go the way that was measured to cost less', () => {
    expect(firstChoice(medium)).toBe('sampled');
    const { went, tried } = readings(30, always({ exact: 20, sampled: 40 }));
    expect(went).toEqual([...only('sampled', 2), ...only('exact', 28)]);
    // Its first run, which set kernels up, cost as much as the other way, and was enough.
    expect(tried).toEqual(['exact']);
    const small = { ...medium, products: 100_000 };
    expect(firstChoice(small)).toBe('exact');
    const other = readings(30, always({ exact: 300, sampled: 40 }), { situation: small });
    expect(other.went.slice(-20)).toEqual(only('sampled', 20));
  });

  it('know nothing from a run that set kernels up', () => {
    const { went, tried } = readings(10, always({ exact: 20, sampled: 40 }), {
      cold: 100,
      situation: { ...medium, speed: { ...speed, firstRun: Number.POSITIVE_INFINITY } },
    });
    // Given up at first, and tried again at once.
    expect(went).toEqual([...only('sampled', 3), ...only('exact', 7)]);
    expect(tried).toEqual(['exact', 'exact']);
  });

  it('never try what is far beyond the price, until much time has gone by', () => {
    const { tried } = readings(60, always({ exact: 400_000, sampled: 4000 }), { situation: large });
    expect(tried).toEqual([]);
    const later = readings(400, always({ exact: 400_000, sampled: 4000 }), { situation: large });
    expect(later.tried.length).toBeGreaterThan(0);
    expect(later.tried.length).toBeLessThan(8);
    expect(later.went).toEqual(only('sampled', 400));
  });

  it.each([0.02, 0.3, 0.6, 0.9, 1, 1.1, 1.5, 2, 3, 10, 100])(
    'take little more than the cheaper way where the exact one is %s times as dear',
    (ratio) => {
      for (const situation of [medium, { ...medium, products: 10_000 }, large]) {
        const costs = { exact: 40 * ratio, sampled: 40 };
        const warm = readings(100, always(costs), { situation });
        const { total } = readings(300, always(costs), { situation, from: warm.experience });
        // 1.2 is the factor by which another choice has to be cheaper.
        expect(total / (300 * Math.min(40, 40 * ratio))).toBeLessThan(ratio > 1 / 1.2 && ratio < 1.2 ? 1.2 : 1.1);
      }
    },
  );

  it('do not turn for noise', () => {
    const { experience } = readings(30, always({ exact: 30, sampled: 40 }));
    expect(experience.choice).toBe('exact');
    let noise = 7;
    const noisy = () => {
      noise = (noise * 16_807) % 2_147_483_647;
      return 1 + (0.19 * noise) / 2_147_483_647;
    };
    const later = readings(300, () => ({ exact: 36 * noisy(), sampled: 36 * noisy() }), { from: experience });
    expect(later.experience.choice).toBe('exact');
    expect(later.went.filter((way) => way === 'sampled').length).toBeLessThan(40);
  });

  it('try in the end what nothing is known of', () => {
    const unknown = { ...medium, products: Number.POSITIVE_INFINITY };
    const { tried, went } = readings(200, always({ exact: 20, sampled: 40 }), { situation: unknown });
    expect([tried[0], went.at(-1)]).toEqual(['exact', 'exact']);
    expect(went.indexOf('exact')).toBeGreaterThan(50);
  });

  it('mind no single one that took long', () => {
    const { experience } = readings(10, always({ exact: 30, sampled: 40 }));
    const { tried } = readings(6, (i) => ({ exact: i === 2 ? 300 : 30, sampled: 40 }), { from: experience });
    expect(tried).toEqual([]);
  });

  it('follow a network that needs other numbers of pairs', () => {
    const early = readings(40, always({ exact: 60, sampled: 120 }));
    expect(early.experience.choice).toBe('exact');
    const late = readings(80, always({ exact: 60, sampled: 30 }), { from: early.experience });
    expect(late.went.slice(-20)).toEqual(only('sampled', 20));
    const back = readings(60, always({ exact: 60, sampled: 120 }), { from: late.experience });
    expect(back.went.slice(-20)).toEqual(only('exact', 20));
  });

  it('are exact once every pair was wanted, and draw again later', () => {
    const outcome = { choice: 'sampled', ms: { sampled: 90, exact: 60 }, wantedAll: true } as const;
    const experience = learned(NO_EXPERIENCE, outcome);
    const { went, tried } = readings(100, always({ exact: 60, sampled: 90 }), { from: experience, situation: large });
    expect(went.slice(0, 15)).toEqual(only('exact', 15));
    expect(tried).toContain('sampled');
  });

  it('keep to what cannot be given up, unless the other way is sure to cost less', () => {
    const once = { ...medium, canTurn: false };
    for (const products of [medium.products, 3e6]) {
      const { tried } = readings(200, always({ exact: 400, sampled: 40 }), { situation: { ...once, products } });
      expect(tried).toEqual([]);
    }
    const few = { ...once, pairs: 20_000 };
    expect(planOf({ ...NO_EXPERIENCE, choice: 'sampled', sampled: { ms: [400], runs: 2, age: 0 } }, few)).toEqual({
      way: 'exact',
      trial: { atMost: Number.POSITIVE_INFINITY, likelyAtMost: Number.POSITIVE_INFINITY },
    });
  });
});

describe('experienceOf', () => {
  const outcome = { choice: 'exact', ms: { exact: 3 }, wantedAll: false, pairs: 384 } as const;

  it('is that of one network, one dataset and one kind', () => {
    const [network, dataset] = [{}, {}];
    experienceOf(network, undefined, ['wasm', 0.02]).learn(outcome);
    expect(experienceOf(network, undefined, ['wasm', 0.02]).get()).toMatchObject({ choice: 'exact', pairs: 384 });
    for (const other of [
      experienceOf({}, undefined, ['wasm', 0.02]),
      experienceOf(network, dataset, ['wasm', 0.02]),
      experienceOf(network, undefined, ['cpu', 0.02]),
    ]) {
      expect(other.get()).toBe(NO_EXPERIENCE);
    }
  });

  it('ends with its network', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const remembered = (() => {
      const network = {};
      const data = {};
      experienceOf(network, data, []).learn(outcome);
      return [new WeakRef(network), new WeakRef(data)];
    })();
    await new Promise((resolve) => setTimeout(resolve, 0));
    collect();
    expect(remembered.map((each) => each.deref())).toEqual([undefined, undefined]);
  });
});

import type { BackendSpeed } from '../tfjs/backend-speed.js';

/** The ways to a tolerance: every pair of sample and column, or as many as it takes. */
export type Way = 'exact' | 'sampled';

/** What a way has cost. */
export interface Cost {
  /** Of its last runs, in ms. */
  readonly ms: readonly number[];
  readonly runs: number;
  /** Readings since it was last run. */
  readonly age: number;
}

/** What readings of one kind have cost: of one network on one backend, of as much data, to one tolerance. */
export interface Experience {
  /** The way that readings go; undefined before the first. */
  readonly choice?: Way;
  readonly exact: Cost;
  readonly sampled: Cost;
  /** Samples of the last reading. */
  readonly samples?: number;
  /** Pairs to begin with. */
  readonly pairs?: number;
}

/** What is known before a reading. Infinity where something is not. */
export interface Situation {
  readonly samples: number;
  /** Columns of a sample. */
  readonly columns: number;
  /** Products of a sample's forward pass. */
  readonly products: number;
  /** Pairs that a sample begins with. */
  readonly pairs: number;
  readonly speed: BackendSpeed;
  /** Whether a way can be given up for the other: not where the data is read once. */
  readonly canTurn: boolean;
}

/** How to take a reading. */
export interface Plan {
  readonly way: Way;
  /** Where the way is tried in place of the choice: when to give it up. */
  readonly trial?: {
    /** Longest time in ms; Infinity where it cannot be given up. */
    readonly atMost: number;
    /** The same for what all rows are going to take, by those that have been run. */
    readonly likelyAtMost: number;
  };
}

/** What came of a reading. */
export interface Outcome {
  /** The way that was meant. */
  readonly choice: Way;
  /** Time in ms of what was run; of a trial that was given up, what all of it is likely to take. */
  readonly ms: { readonly [way in Way]?: number };
  /** Whether so many pairs were wanted that every pair had to be measured. */
  readonly wantedAll: boolean;
  readonly samples?: number;
  readonly pairs?: number;
}

/** A sampled reading runs two passes, and draws between them. */
const SAMPLED_PASSES = 3;
/** A pair has a sample of its own to run forward, and shares no work with others. */
const ROWS_OF_PAIR = 3;
/** Runs after which what a way takes is known: the first sets kernels up. */
const WARM = 2;
/** The least of the last so many counts: noise only ever adds. */
const KEPT = 3;
/** Exact readings have no error: they are tried up to this price, in units of a sampled one's, and sampled ones below its inverse. */
const WORTH = 1.5;
/** A trial is given up beyond this price, in units of that of the choice. */
const LIMIT = 1.5;
/** A choice is changed only for one that costs less by this factor. */
const CLEAR = 1.2;
/** No way is taken to cost more than so many times the other one before it has been tried. */
const MOST = 8;
/** What is believed of a way that has not been run for a reading: networks change, and so do the pairs that they need. */
const AGEING = 0.98;

const NEVER: Cost = { ms: [], runs: 0, age: 0 };
export const NO_EXPERIENCE: Experience = { exact: NEVER, sampled: NEVER };

const otherWay = (way: Way): Way => (way === 'exact' ? 'sampled' : 'exact');
const priceOf = ({ ms }: Cost) => Math.min(...ms);

/**
 * The way that is likely to cost least. At first by the numbers of launches and products; later by what readings took. A way that has
 * not been run may be tried where it is likely to pay; where it does not, it is given up at 1.5 times the price of the choice. What
 * was found ages by 2% a reading, so that every way is tried again some day, the sooner the closer they are: a way r times as dear after
 * log(1.2 r) / 0.02 readings, so that trials take at most a thirtieth of the time.
 */
export function planOf(experience: Experience, situation: Situation): Plan {
  const choice = experience.choice ?? firstChoice(situation);
  const way = otherWay(choice);
  const chosen = experience[choice];
  if (chosen.runs < WARM) {
    return { way: choice };
  }
  const price = priceOf(chosen);
  if (believed(experience[way], way, price, situation) < price) {
    const atMost = situation.canTurn ? LIMIT * price : Number.POSITIVE_INFINITY;
    const isFirst = experience[way].runs === 0;
    return { way, trial: { atMost, likelyAtMost: atMost * (isFirst ? situation.speed.firstRun : 1) } };
  }
  return { way: choice };
}

/** What a reading adds to experience, and whether it changes the choice. */
export function learned(
  experience: Experience,
  { choice, ms, wantedAll, samples = experience.samples, pairs = experience.pairs }: Outcome,
): Experience {
  const costs = {
    exact: withRun(experience.exact, ms.exact),
    // Where more pairs were wanted than before, those before say nothing; and it is not kernels that made them dear.
    sampled: wantedAll ? withRun({ ...NEVER, runs: WARM }, ms.sampled) : withRun(experience.sampled, ms.sampled),
  };
  const other = otherWay(choice);
  const isKnown = experience[other].runs >= WARM;
  const isCheaper =
    ms[other] !== undefined &&
    costs[choice].runs >= WARM &&
    priceOf(costs[other]) * (isKnown ? CLEAR : 1) <= priceOf(costs[choice]);
  return { ...costs, samples, pairs, choice: wantedAll ? 'exact' : isCheaper ? other : choice };
}

/** By launches and products. */
export function firstChoice(situation: Situation): Way {
  const { exact, sampled } = expectedCosts(situation);
  const total = exact.fixed + exact.work;
  return Number.isFinite(total) && total <= sampled.fixed + sampled.work ? 'exact' : 'sampled';
}

/** In ms, what every reading takes, and what grows with the data: forward passes and backward rows count the same. */
function expectedCosts({ samples, columns, products, pairs, speed: { passMs, productsInMs } }: Situation) {
  const ms = (rows: number) => (rows * products) / productsInMs;
  return {
    exact: { fixed: passMs, work: ms(samples + samples * columns) },
    sampled: { fixed: SAMPLED_PASSES * passMs, work: ms(samples + ROWS_OF_PAIR * pairs) },
  };
}

/** What a way may cost, so that it is worth a trial where that is less than the price of the other. */
function believed(cost: Cost, way: Way, price: number, situation: Situation): number {
  const { canTurn, speed } = situation;
  const { runs, age } = cost;
  // What cannot be given up is not tried on a guess.
  const doubt = canTurn ? AGEING ** age : 1;
  const care = canTurn ? 1 : LIMIT;
  if (runs === 0) {
    const likely = likelyCost(way, price, situation);
    const worth = way === 'exact' ? WORTH : 1 / WORTH;
    return ((canTurn ? Math.min(MOST * price, likely) : likely) / worth) * care * doubt;
  }
  return runs < WARM ? (priceOf(cost) / speed.firstRun) * care * doubt : CLEAR * priceOf(cost) * doubt;
}

/**
 * From the price of the other way: all of it taken to grow with what is expected, or, where that is less, only what grows with the data.
 */
function likelyCost(way: Way, price: number, situation: Situation): number {
  const { [way]: own, [otherWay(way)]: other } = expectedCosts(situation);
  const inProportion = (price * (own.fixed + own.work)) / (other.fixed + other.work);
  const byWork = own.fixed + (Math.max(0, price - other.fixed) * own.work) / other.work;
  const likely = Math.min(inProportion, byWork);
  return Number.isFinite(likely) ? likely : Number.POSITIVE_INFINITY;
}

function withRun({ ms, runs, age }: Cost, taken: number | undefined): Cost {
  if (taken === undefined) {
    return { ms, runs, age: age + 1 };
  }
  // What was found long ago says little.
  const earlier = age >= KEPT ? [] : ms;
  return { ms: [...earlier, taken].slice(-KEPT), runs: runs + 1, age: 0 };
}

/** By the first of a network's weights, by the dataset, where it is one, and then by all else that costs depend on. */
const known = new WeakMap<object, WeakMap<object, Map<string, Experience>>>();

/**
 * What is remembered of readings of one kind, as long as the network is there.
 *
 * @param network an object that is there as long as it.
 * @param data the same for the data, where it is read anew for each reading.
 */
export function experienceOf(network: object, data: object | undefined, kind: readonly unknown[]) {
  const ofNetwork = known.get(network) ?? new WeakMap<object, Map<string, Experience>>();
  known.set(network, ofNetwork);
  const ofData = ofNetwork.get(data ?? network) ?? new Map<string, Experience>();
  ofNetwork.set(data ?? network, ofData);
  const key = JSON.stringify(kind);
  return {
    get: () => ofData.get(key) ?? NO_EXPERIENCE,
    learn(outcome: Outcome) {
      ofData.set(key, learned(ofData.get(key) ?? NO_EXPERIENCE, outcome));
    },
  };
}

import { productsOfRow, trainedParameters } from '../network/graph.js';
import { backendName } from '../tfjs/backend.js';
import { backendSpeed } from '../tfjs/backend-speed.js';
import { variableOf } from '../tfjs/weights.js';
import { type Pause, shapesOfSample } from '../traces/chunks.js';
import { experienceOf, type Plan, planOf, type Way } from './cheapest-method.js';
import type { Task } from './task.js';

/** What readings say to those after them. */
interface Measured {
  readonly sample: { readonly samples: number };
  /** Pairs to begin with. */
  readonly nextPairs?: number;
}

/** The two ways to a tolerance. */
export interface Ways<Found extends Measured> {
  /** Every pair. */
  exact(task: Task): Promise<Found>;
  /**
   * Some of them.
   *
   * @param pairs to begin with.
   * @param all for where so many pairs are wanted that every pair is measured.
   */
  sampled(task: Task, pairs: number, all: () => Promise<Found>): Promise<Found>;
}

/** Thrown in place of going on with a trial. */
const GIVEN_UP = new Error('The other way costs less.');

/**
 * Meets a tolerance by the way that is likely to cost least, by what readings of this network took before (`planOf`). Where a trial of
 * the other way fails or takes too long, the reading is taken as those before.
 *
 * @param fewest pairs to begin with, where nothing is known.
 */
export async function cheapestShare<Found extends Measured>(
  task: Task,
  tolerance: number,
  fewest: number,
  ways: Ways<Found>,
): Promise<Found> {
  const { data } = task;
  const experience = experienceOfTask(task, tolerance);
  const before = experience.get();
  const pairs = Math.max(fewest, before.pairs ?? 0);
  const { way, trial } = planOf(before, situationOf(task, before.samples, pairs));
  const choice = trial ? otherThan(way) : way;
  const ms: { [way in Way]?: number } = {};
  let wantedAll = false;

  async function timed(way: Way, run: () => Promise<Found>): Promise<Found> {
    const begin = performance.now();
    const found = await run();
    ms[way] = performance.now() - begin;
    return found;
  }
  const run = (way: Way, task: Task) => {
    const exact = () => timed('exact', () => ways.exact(task));
    return way === 'exact'
      ? exact()
      : timed('sampled', () =>
          ways.sampled(task, pairs, () => {
            wantedAll = true;
            return exact();
          }),
        );
  };
  const learn = (found?: Found) =>
    experience.learn({ choice, ms, wantedAll, samples: found?.sample.samples, pairs: found?.nextPairs });

  if (trial) {
    const { pause, likely, report } = limited(task.pause, way, trial);
    let found: Found | undefined;
    try {
      found = await run(way, data.tensors ? { ...task, pause } : task);
    } catch (error) {
      wantedAll = false;
      ms[way] = Math.max(likely(), trial.atMost);
      if (!data.tensors) {
        learn();
        throw error;
      }
    }
    if (found) {
      learn(found);
      // What the user's own callback throws says nothing of the trial.
      await report();
      return found;
    }
  }
  try {
    await task.pause(0);
    const found = await run(choice, task);
    learn(found);
    return found;
  } catch (error) {
    // What has been tried is not tried again at once, whatever ended the reading.
    if (trial) {
      learn();
    }
    throw error;
  }
}

const otherThan = (way: Way): Way => (way === 'exact' ? 'sampled' : 'exact');

/** A pause that throws once a trial takes too long. What it runs is reported when all of it is done. */
function limited(pause: Pause, way: Way, { atMost, likelyAtMost }: NonNullable<Plan['trial']>) {
  const begin = performance.now();
  const passed = () => performance.now() - begin;
  let last: Parameters<Pause> = [0];
  /** Of its rows, that have been run. */
  let share = 0;
  const likely = () => (way === 'exact' && share > 0 ? passed() / share : passed());
  const limitedPause: Pause = async (...now) => {
    await pause(0);
    last = now;
    const [, run] = now;
    share = run?.totalRows ? run.rows / run.totalRows : 0;
    if (share < 1 && (passed() > atMost || likely() > likelyAtMost)) {
      throw GIVEN_UP;
    }
  };
  return { pause: limitedPause, likely, report: () => pause(...last) };
}

/** What costs depend on. */
function experienceOfTask({ subject: { source, graph, heads }, data, budgetBytes }: Task, tolerance: number) {
  const parameters = trainedParameters(graph);
  const { tensors, dataset } = data;
  // Sets of about the same size share what is known of them.
  const size = tensors && [Math.round(2 * Math.log2(tensors[0].shape[0])), shapesOfSample(tensors)];
  const outputs = heads.map(({ output, hessian }) => [output, hessian.name]);
  return experienceOf(parameters.length > 0 ? variableOf(parameters[0].variable) : source, dataset, [
    backendName(),
    tolerance,
    budgetBytes,
    size,
    outputs,
    parameters.map(({ name }) => name),
  ]);
}

function situationOf(
  { subject: { graph, heads }, data: { tensors } }: Task,
  samplesBefore: number | undefined,
  pairs: number,
) {
  return {
    samples: tensors?.[0].shape[0] ?? samplesBefore ?? Number.POSITIVE_INFINITY,
    columns: heads.reduce((sum, head) => sum + (head.columns ?? Number.POSITIVE_INFINITY), 0),
    products: productsOfRow(graph),
    pairs,
    speed: backendSpeed(),
    canTurn: tensors !== null,
  };
}

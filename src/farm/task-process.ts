/*
 * Runs in a process of its own, since tf.js computes in one thread and the native addon is loaded once a process: takes the steps of plans
 * that task-pool.ts sends.
 */
import { informBy } from '../warnings.js';
import { type Outcome, runTask, type Task } from './task.js';

/** How often progress is told at most, in ms. */
const EVERY = 200;

// A terminal sends Ctrl-C to all its processes: what becomes of work that is on its way, the one that asked for it says.
for (const name of ['SIGINT', 'SIGHUP'] as const) {
  process.on(name, () => {});
}
// How long all parts take is told by the one that asked, whose standard output this is, too.
informBy(() => {});
// It is gone: nobody takes what would come of it.
process.once('disconnect', () => process.exit(1));

export default async function step(task: Task): Promise<Outcome> {
  let told = performance.now();
  return runTask(task, ({ rows, totalRows }) => {
    const now = performance.now();
    if (totalRows && now - told >= EVERY) {
      told = now;
      process.send?.({ fraction: rows / totalRows });
    }
  });
}

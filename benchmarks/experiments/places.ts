import { join } from 'node:path';

/** Where the lines are, which are committed, and the tables and figures. */
export const resultsFolder = 'benchmarks/experiments/results';

/** One line a network. */
export const trainingsFile = 'trainings.jsonl';

/** The same for the sweep of settings. */
export const sweepFile = 'sweep.jsonl';

/** One line for each snapshot and kind of measures. */
export const measuresFile = 'measures.jsonl';

/** Where weights are kept, a folder a network. */
export const weightsFolder = '.cache/experiments';

/** All weights after an epoch, float32, one tensor after the other. @param folder of the network. */
export const weightsFile = (folder: string, epoch: number) => join(folder, `${epoch}.f32`);

/** One line for each network, number of images and way to the trace. */
export const costsFile = 'costs.jsonl';

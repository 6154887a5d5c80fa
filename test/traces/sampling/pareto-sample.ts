import { atOnce } from '../../../src/network/walk.js';
import { findingFactor, paretoSampling } from '../../../src/traces/sampling/pareto.js';

/** `findingFactor` at once. */
export const inclusionFactor = (...all: Parameters<typeof findingFactor>) => atOnce(findingFactor(...all));

/** `paretoSampling` at once. */
export const paretoSample = (...all: Parameters<typeof paretoSampling>) => atOnce(paretoSampling(...all));

import type { SharpnessReading } from './reading.js';

/** Of Student's distribution, with the fewest degrees of freedom that a reliable reading has: 20. */
const QUANTILE = 2.086;

/**
 * Half the 95% interval of a reading that is `reliable`, which is `minimumSharpness` plus or minus this and in the same units: 2.086
 * standard errors. With more than 20 degrees of freedom, the fewest that a reliable reading has, it covers a little more than 95%; of a
 * reading that is not reliable it is no 95% interval. 0 where nothing was sampled.
 */
export const halfInterval = ({ standardError }: Pick<SharpnessReading, 'standardError'>): number =>
  QUANTILE * standardError;

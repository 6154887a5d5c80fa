import type { SharpnessReading } from 'tfjs-sharpness';

/** Three digits, or as many as asked for, and never an exponent where there is room for the number. */
export function short(value: number, digits = 3): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  if (value !== 0 && (Math.abs(value) >= 1e9 || Math.abs(value) < 1e-3)) {
    return value.toExponential(1).replace('e+', 'e');
  }
  return Number(value.toPrecision(digits)).toLocaleString('en', { maximumSignificantDigits: digits });
}

export const percent = (share: number): string => (Number.isFinite(share) ? `${(100 * share).toFixed(1)}%` : '–');

/** Half the 95% interval in standard errors, as in the package's chart: Student's quantile for 20 degrees of freedom. */
const HALF_INTERVAL = 2.086;

/** What is to be said behind a value of Minimum Sharpness: half its 95% interval, as the chart below has it, and what makes it doubtful. */
export function sharpnessRemarks({
  standardError,
  reliable,
  collapsed,
}: Pick<SharpnessReading, 'standardError' | 'reliable' | 'collapsed'>): string {
  const hasError = standardError > 0;
  return [
    hasError ? `± ${short(HALF_INTERVAL * standardError, 2)}` : '',
    hasError && !reliable ? 'error not reliable' : '',
    collapsed ? 'the network has collapsed' : '',
  ]
    .filter((remark) => remark !== '')
    .join(', ');
}

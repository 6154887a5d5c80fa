/** Three digits, or as many as asked for, and never an exponent where there is room for the number. */
export function short(value: number, digits = 3): string {
  if (!Number.isFinite(value)) {
    return '–';
  }
  if (value !== 0 && (Math.abs(value) >= 1e9 || Math.abs(value) < 1e-3)) {
    return value.toExponential(1).replace('e+', 'e');
  }
  return Number(value.toPrecision(digits)).toLocaleString('en', { maximumSignificantDigits: digits });
}

export const percent = (share: number): string => (Number.isFinite(share) ? `${(100 * share).toFixed(1)}%` : '–');

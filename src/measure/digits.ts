/** A number in few digits, as Infinity and NaN too. */
export const digits = (value: number, count = 4): string => String(Number(value.toPrecision(count)));

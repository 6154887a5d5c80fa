/** 12000, 0.05, 3e6, 1e-7 */
export function tickText(value: number): string {
  const size = Math.abs(value);
  const text = String(Number(value.toPrecision(6)));
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? Number(text).toExponential().replace('e+', 'e') : text;
}

/** Beyond these, and their inverse, numbers of an axis would be infinite or 0. */
const HUGE = 1e300;
const within = (value: number, least: number) => Math.min(HUGE, Math.max(least, value));

/** The ends of an axis for these values, with room above and below; what differs in its last digits alone is not blown up. */
export function paddedRange(least: number, most: number): [number, number] {
  const [min, max] = [within(least, -HUGE), within(most, -HUGE)];
  const pad = Math.max((max - min) / 10, Math.max(Math.abs(min), Math.abs(max)) / 100) || 1;
  return [min >= 0 ? Math.max(0, min - pad) : min - pad, max + pad];
}

/** The same for an axis of logarithms, for values above 0. */
export function logRange(min: number, max: number): [number, number] {
  return [Math.min(HUGE / 2, within(min / 1.15, 1 / HUGE)), within(max * 1.15, 2 / HUGE)];
}

/**
 * Round steps, `least` of them or up to two and a half times as many. uPlot's own ticks count up to no end where an axis is short for its
 * values.
 */
export function roundTicks(min: number, max: number, least = 4): number[] {
  const most = (max - min) / least;
  const size = 10 ** Math.floor(Math.log10(most));
  const step = size * ([5, 2].find((factor) => factor * size <= most) ?? 1);
  const first = Math.ceil(min / step);
  const count = Math.floor(max / step) - first + 1;
  return count > 0 && count < 20
    ? Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)))
    : [];
}

/** 1, 2 and 5 of each decade; round steps where there is less than one, powers of ten where there are many. */
export function logTicks(min: number, max: number, least = 4): number[] {
  const decades = Math.log10(max / min);
  if (decades < 0.7) {
    return roundTicks(min, max, least);
  }
  const [first, last] = [Math.floor(Math.log10(min)), Math.ceil(Math.log10(max))];
  const every = Math.max(1, Math.ceil(decades / 6));
  const factors = decades > 2.5 ? [1] : [1, 2, 5];
  return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, i) => first + i * every)
    .flatMap((exponent) => factors.map((factor) => Number(`${factor}e${exponent}`)))
    .filter((value) => value >= min && value <= max);
}

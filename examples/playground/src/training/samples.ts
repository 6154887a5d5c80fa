/** Inputs in rows of `width` numbers, and the class of each. */
export interface Samples {
  readonly inputs: Float32Array;
  readonly labels: Uint8Array;
  readonly width: number;
  readonly classes: number;
}

/** Labels of which a share is drawn anew among all classes, and where they are wrong now. */
export function withNoise(
  labels: Uint8Array,
  classes: number,
  noise: number,
  random: () => number,
): { labels: Uint8Array; wrong: Uint8Array } {
  const noisy = labels.map((label) => (random() < noise ? Math.floor(classes * random()) : label));
  return { labels: noisy, wrong: noisy.map((label, i) => (label === labels[i] ? 0 : 1)) };
}

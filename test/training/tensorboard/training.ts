import type { SharpnessReading } from '../../../src/measure/reading.js';

const layers = ['conv2d_Conv2D1', 'conv2d_Conv2D2', 'dense_Dense1', 'dense_Dense2'];

/** Readings as a training of a small convolutional network gives them, one an epoch; `noise` is the relative error. */
export function trainingReadings(epochs: number, batchesPerEpoch = 60, noise = 0.03): SharpnessReading[] {
  return Array.from({ length: epochs }, (_, epoch) => {
    const progress = (epoch + 1) / epochs;
    // Sharpness rises while the network becomes certain, then falls.
    const trace = 4 + 160 * progress * Math.exp(-3 * progress) * (1 + noise * Math.sin(7 * epoch));
    const shares = [0.31, 0.04, 0.22, 0.03, 0.19, 0.02, 0.16, 0.03];
    const minimum = trace * (0.5 + 0.2 * Math.exp(-4 * progress));
    return {
      step: (epoch + 1) * batchesPerEpoch,
      epoch,
      minimumSharpness: minimum,
      standardError: minimum * noise,
      reliable: true,
      trace,
      parameters: layers.flatMap((layer, index) => [
        { name: `${layer}/kernel`, layer, trace: trace * shares[2 * index]!, standardError: 0 },
        { name: `${layer}/bias`, layer, trace: trace * shares[2 * index + 1]!, standardError: 0 },
      ]),
      scales: layers.map((layer, index) => ({ layer, alpha: Math.exp((index - 1.5) * 0.4 * progress) })),
      samples: 4000,
      method: 'exact',
      pairs: 36000,
      exact: true,
      assumptions: [],
      durationMs: 120,
    };
  });
}

/** The charts that readings should give: the points `[step, float32 value]` of each tag. */
export function expectedCharts(readings: readonly SharpnessReading[]): Record<string, [number, number][]> {
  const charts: Record<string, [number, number][]> = {};
  for (const reading of readings) {
    const add = (tag: string, value: number) => {
      charts[tag] ??= [];
      charts[tag].push([reading.step!, Math.fround(value)]);
    };
    add('sharpness/minimum', reading.minimumSharpness);
    add('sharpness/standard_error', reading.standardError);
    add('sharpness/trace', reading.trace);
    add('sharpness_interval/lower', Math.max(0, reading.minimumSharpness - 2.086 * reading.standardError));
    add('sharpness_interval/upper', reading.minimumSharpness + 2.086 * reading.standardError);
    for (const { layer, alpha } of reading.scales) {
      add(`sharpness_alpha/${layer}`, alpha);
    }
    for (const { name, trace } of reading.parameters) {
      add(`sharpness_trace/${name.replace('/', '.')}`, trace);
    }
  }
  return charts;
}

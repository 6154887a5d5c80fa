import type { SharpnessReading } from '../../measure/reading.js';

const methods: Readonly<Record<SharpnessReading['method'], string>> = {
  exact: 'every column of every sample was run',
  sampled: 'pairs of sample and column were drawn',
  hutchinson: 'random probes were run',
};

/** What the numbers of a reading rest on, in Markdown: how it was measured, what it takes for granted, and which layers trade scale. */
export function readingText({ method, exact, samples, assumptions, scales }: SharpnessReading): string {
  const layers = [...new Set(scales.map(({ layer }) => `\`${layer}\``))];
  return [
    `**Measured** on ${samples} samples: ${methods[method]}. The traces are those of the ${exact ? 'Hessian' : 'Gauss-Newton matrix'}.`,
    assumptions.length > 0
      ? `**Taken for granted:**\n\n${assumptions.map((sentence) => `- ${sentence}`).join('\n')}`
      : '**Taken for granted:** nothing.',
    layers.length > 0
      ? `**Symmetries:** scale moves between the layers, without a change of the function, by these: ${layers.join(', ')}.`
      : '**Symmetries:** no layer has a free scale.',
  ].join('\n\n');
}

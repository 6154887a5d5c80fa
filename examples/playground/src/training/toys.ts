import { randomNumbers } from './random-numbers.js';
import type { Samples } from './samples.js';

export type ToyName = 'spirals' | 'moons' | 'rings';

/** A point of a class, at a place from 0 to 1 along its curve. */
type Curve = (place: number, label: number) => readonly [x: number, y: number];

const toys: Record<ToyName, { classes: number; scatter: number; curve: Curve }> = {
  spirals: {
    classes: 3,
    scatter: 0.035,
    curve: (place, label) => {
      const angle = 3.6 * place + (2 * Math.PI * label) / 3;
      const radius = 0.06 + 0.84 * place;
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    },
  },
  moons: {
    classes: 2,
    scatter: 0.08,
    curve: (place, label) => {
      const [x, y] = [0.6 * Math.cos(Math.PI * place), 0.6 * Math.sin(Math.PI * place)];
      return label === 0 ? [x - 0.3, y - 0.15] : [0.3 - x, 0.15 - y];
    },
  },
  rings: {
    classes: 2,
    scatter: 0.07,
    curve: (place, label) => {
      const radius = label === 0 ? 0.3 : 0.75;
      return [radius * Math.cos(2 * Math.PI * place), radius * Math.sin(2 * Math.PI * place)];
    },
  },
};

/** `count` points in the plane, most of them from -1 to 1, their classes in turn. */
export function toyPoints(name: ToyName, count: number, seed: number): Samples {
  const { classes, scatter, curve } = toys[name];
  const random = randomNumbers(seed);
  // Box and Muller's, of which one is enough.
  const gaussian = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
  const inputs = new Float32Array(2 * count);
  labels.forEach((label, i) => {
    const [x, y] = curve(random(), label);
    inputs.set([x + scatter * gaussian(), y + scatter * gaussian()], 2 * i);
  });
  return { inputs, labels, width: 2, classes };
}

import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { NamedTensors } from '../measure/inputs.js';
import { type Losses, lossesOf } from '../measure/loss.js';
import { inputNames, outputNames } from '../tfjs/model-graph.js';
import { type FileData, firstSamples, isLabelName, type Samples } from './samples.js';

/** Takes apart what of a file goes into the model, and what are labels: called y or labels or as an output, where no input is so called. */
export function withoutLabels(model: tfl.LayersModel, { arrays, labels }: FileData): Required<FileData> {
  const inputs = inputNames(model);
  const outputs = outputNames(model);
  const isLabel = (name: string) => !inputs.includes(name) && (isLabelName(name) || outputs.includes(name));
  const found = [...arrays].filter(([name]) => arrays.size > 1 && isLabel(name));
  return {
    arrays: new Map([...arrays].filter(([name]) => !found.some(([label]) => label === name))),
    labels: new Map([
      ...(labels ?? []),
      ...found.map(([name, array]) => [outputs.includes(name) ? name : '', array] as const),
    ]),
  };
}

/** Losses whose labels are rows of probabilities: one number each would be a class. */
const ofRows: readonly unknown[] = ['categoricalCrossentropy', 'softmaxCrossEntropy'];

/**
 * Labels of files as tensors for the outputs that are measured; classes given as numbers become one-hot rows where the loss takes rows.
 *
 * @param labels [N, ...] by output name; '' is the only output that is measured.
 * @param losses as `measureSharpness` takes them.
 * @param limit how many samples at most.
 * @returns by output name; the caller disposes them.
 * @throws Error with one line for labels of no output, or a class that the output does not have.
 */
export function modelLabels(
  model: tfl.LayersModel,
  labels: ReadonlyMap<string, Samples>,
  losses: Losses,
  limit: number,
): NamedTensors {
  const names = outputNames(model);
  const found = lossesOf(model, losses);
  const measured = names.filter((_, i) => found[i] !== undefined);
  const tensors: { [output: string]: tf.Tensor } = {};
  try {
    for (const [given, samples] of labels) {
      if (given === '' && measured.length > 1) {
        throw new Error(
          `labels of one output are given, but the model has ${measured.join(', ')}: --labels ${measured[0]}=FILE.`,
        );
      }
      const name = given === '' ? measured[0]! : given;
      const place = names.indexOf(name);
      if (place < 0) {
        throw new Error(`labels: the model has no output '${name}', only ${names.join(', ')}.`);
      }
      const first = firstSamples(samples, limit);
      const classes = model.outputs[place]!.shape.at(-1) ?? 1;
      tensors[name] =
        ofRows.includes(found[place]?.loss) && classes > 1 && isClasses(first, model.outputs[place]!.shape)
          ? oneHot(name, first, classes)
          : tf.tensor(first.values, [...first.shape]);
    }
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
  return tensors;
}

/** Whether there is one number where the output has K: [N, ...positions] or [N, ...positions, 1]. */
function isClasses({ shape }: Samples, output: tfl.Shape): boolean {
  return shape.length === output.length - 1 || (shape.length === output.length && shape.at(-1) === 1);
}

function oneHot(name: string, { shape, values }: Samples, classes: number): tf.Tensor {
  const stranger = values.findIndex((value) => !Number.isInteger(value) || value < 0 || value >= classes);
  if (stranger >= 0) {
    throw new Error(
      `labels of '${name}': ${values[stranger]} at number ${stranger + 1}: classes are whole numbers from 0 to ${classes - 1}.`,
    );
  }
  const positions = shape.at(-1) === 1 && shape.length > 1 ? shape.slice(0, -1) : shape;
  const rows = new Float32Array(values.length * classes);
  values.forEach((value, i) => {
    rows[i * classes + value] = 1;
  });
  return tf.tensor(rows, [...positions, classes]);
}

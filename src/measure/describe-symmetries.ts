import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions } from '../checks.js';
import { type SymmetryDescription, symmetryDescription } from '../symmetry/description.js';
import { checkMeasureOptions, type MeasureOptions, networkOptionNames } from './options.js';
import { subjectOfModel } from './subject.js';

/** What decides where the network ends: those of `measureSharpness`. */
export type DescribeOptions = Pick<MeasureOptions, 'loss' | 'lossWeights' | 'countFrozen'>;

/**
 * Says which layers of a model can trade scale without a change of what it computes, and why the others cannot: all that
 * Minimum Sharpness is minimised over. It looks at the layers only, before any training and without data.
 *
 * Multiply the kernel of each layer by its alpha > 0, and every bias by the scale that the alphas give the tensor it is added
 * to (and the moving mean of a batch normalization by that of its input): the function stays the same for all alphas that
 * obey the rules of the groups. The loss says where the network ends: a softmax that belongs to it is left out.
 *
 * @param model a built model.
 * @returns plain data; as a string (`${describeSymmetries(model)}`) a text with a line for each group and each other layer.
 * @throws Error with one line, the same as `measureSharpness`, for a model that is not built, without trained weights or with
 *   a layer that cannot be measured, for a loss that is not known or does not belong to the model's end, and for options that
 *   there are not or that are out of range.
 */
export function describeSymmetries(model: tfl.LayersModel, options: DescribeOptions = {}): SymmetryDescription {
  checkKnownOptions('describeSymmetries', options, networkOptionNames);
  checkMeasureOptions(options);
  return symmetryDescription(subjectOfModel(model, options).graph);
}

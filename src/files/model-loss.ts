import type * as tfl from '@tensorflow/tfjs-layers';
import { type Losses, type LossWeights, lastActivations, lossOfEach } from '../measure/loss.js';
import { outputNames } from '../tfjs/model-graph.js';
import { trainingLoss } from './training-loss.js';

/** What of a model is measured. */
export interface ModelLoss {
  readonly loss: Losses;
  readonly lossWeights?: LossWeights;
}

/**
 * The loss of a saved model: the one that is given, else the one that its file says it was trained by, else what belongs to its last
 * activation, softmax and categorical cross-entropy, sigmoid and binary cross-entropy.
 *
 * @param training `training_config` or `compile_config` of the file.
 * @param output the one output that is measured; all where it is undefined.
 * @param note is told of a loss that was taken by the activation.
 * @throws Error with one line for an output that there is not, and where nothing says what the loss is.
 */
export function modelLoss(
  model: tfl.LayersModel,
  given: Losses | undefined,
  training: unknown,
  output: string | undefined,
  note: (line: string) => void,
): ModelLoss {
  const names = outputNames(model);
  if (output !== undefined && !names.includes(output)) {
    throw new Error(`the model has no output '${output}', only ${names.join(', ')}.`);
  }
  const trained = given === undefined ? trainingLoss(training) : undefined;
  const losses = given ?? trained?.loss ?? lossByActivation(model, output, note);
  if (output === undefined) {
    return { loss: losses, ...(trained?.lossWeights && { lossWeights: trained.lossWeights }) };
  }
  const loss = lossOfEach(losses, names)[names.indexOf(output)];
  if (loss === undefined) {
    throw new Error(`the output '${output}' has no loss: say it, --loss NAME.`);
  }
  return { loss: { [output]: loss } };
}

function lossByActivation(model: tfl.LayersModel, output: string | undefined, note: (line: string) => void): Losses {
  const found = new Map<string, 'categoricalCrossentropy' | 'binaryCrossentropy'>();
  const activations = lastActivations(model);
  outputNames(model).forEach((name, i) => {
    if (output !== undefined && name !== output) {
      return;
    }
    if (activations[i] === undefined) {
      throw new Error(
        `the file does not say what the output '${name}' was trained by, and it ends in neither softmax nor sigmoid: say it, ` +
          '--loss meanSquaredError, or --loss softmaxCrossEntropy for logits.',
      );
    }
    found.set(name, activations[i] === 'softmax' ? 'categoricalCrossentropy' : 'binaryCrossentropy');
  });
  const taken = [...new Set(found.values())].join(' and ');
  note(`The file does not say what the model was trained by: ${taken} is taken, by its last activation.`);
  return Object.fromEntries(found);
}

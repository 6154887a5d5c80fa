import { describeSymmetries } from '../measure/describe-symmetries.js';
import type { Losses } from '../measure/loss.js';
import type { MeasureOptions } from '../measure/options.js';
import type { SymmetryDescription } from '../symmetry/description.js';
import { jsonText } from '../training/files/json-lines.js';
import { backendStart } from './backend.js';
import { type Complain, complainOf, exitCodeOf, problemOf } from './failure.js';
import { loadModules } from './layer-modules.js';
import type { MeasuringWords } from './measuring-run.js';
import { buildModel, disposeModel, type ReadModel, readModelFile } from './model-file.js';
import { modelLoss } from './model-loss.js';
import { inOptionWords } from './option-words.js';

/** Options of the command line, as words and numbers. */
export interface DescribeCommandOptions extends Pick<MeasuringWords, 'loss' | 'output' | 'require' | 'backend'> {
  readonly json?: boolean;
}

/** What can be said of a saved model without data. */
interface Described extends Omit<SymmetryDescription, 'toString'> {
  readonly model: string;
  /** What is measured, by output where there are several. */
  readonly loss: Losses;
  readonly notes: readonly string[];
}

/** `npx tfjs-sharpness describe`: which scales of saved models are free, which are not and why, and which loss is taken. */
export async function describeCommand(
  models: readonly string[],
  words: DescribeCommandOptions,
  complain: Complain,
): Promise<void> {
  const found: Described[] = [];
  const write = (text: string) => process.stdout.write(`${text}\n`);
  const start = backendStart(words.backend);
  try {
    await loadModules(words.require ?? [], start);
  } catch (error) {
    complainOf(error, complain);
    return;
  }
  for (const model of models) {
    try {
      const content = await readModelFile(model, { withoutWeights: true });
      await start();
      const { text, ...described } = await describe(content, words);
      found.push({ model, ...described });
      if (!words.json) {
        write(models.length > 1 ? `${found.length > 1 ? '\n' : ''}${model}\n${text}` : text);
      }
    } catch (error) {
      const { problem, kind } = problemOf(error);
      complain(`${model}: ${inOptionWords(problem)}`, exitCodeOf(kind));
    }
  }
  if (words.json && (found.length > 0 || models.length > 1)) {
    write(jsonText(models.length > 1 ? found : found[0], 2));
  }
}

async function describe(content: ReadModel, { loss: given, output }: DescribeCommandOptions) {
  const { model, training, notes: ofFile } = await buildModel(content);
  const notes = [...ofFile];
  try {
    // Any text: what is no loss is refused with those that are.
    const named = given as MeasureOptions['loss'];
    const { loss, lossWeights } = modelLoss(model, named, training, output, (line) => notes.push(line));
    const weights = output === undefined ? lossWeights : undefined;
    const symmetries = describeSymmetries(model, { loss, ...(weights && { lossWeights: weights }) });
    const { toString: _, ...description } = symmetries;
    const text = [`Loss: ${textOf(loss)}.`, ...notes, String(symmetries)].join('\n');
    return { loss, ...description, notes, text };
  } finally {
    disposeModel(model);
  }
}

function textOf(loss: Losses): string {
  return typeof loss === 'string'
    ? loss
    : Object.entries(loss)
        .map(([output, each]) => `${each} of '${output}'`)
        .join(', ');
}

import { checkBoolean, checkNumber, checkText, checkWhole } from '../checks.js';
import type { PairSample } from '../traces/pairs/sampled-traces.js';
import { fingerprintOfData } from './fingerprint.js';
import type { RowNotes } from './loss-inputs.js';
import type { Weighting } from './sample-weights.js';

/** One output with its loss. */
export interface SampledLoss {
  readonly output: string;
  /** Name of the loss, or `'factor'` for one of the user's own. */
  readonly loss: string;
  readonly lossWeight: number;
  /** Of a loss of the user's own, what tells it from another one: its curvature at a few outputs. */
  readonly curvature?: readonly number[];
}

/** Of the form of samples. It changes with what they hold. */
export const SAMPLE_VERSION = 1;

/**
 * What was found in one share of the data: plain data, to be sent as JSON and put together with the samples of other shares
 * by `mergeSharpnessSamples`. Its numbers are sums over the share and values of the pairs drawn; what is for users is in the
 * reading that comes of it.
 */
export interface SharpnessSample extends Omit<PairSample, 'places'> {
  readonly version: typeof SAMPLE_VERSION;
  /** Names of the weight tensors, in the order of `closedForm` and `traces`. */
  readonly parameters: readonly string[];
  readonly losses: readonly SampledLoss[];
  /** Of what the network computes but for its weights: layers, their configuration and connections, without names. */
  readonly architecture: string;
  /** Of all weights, bit by bit: samples of other weights do not go together. */
  readonly fingerprint: string;
  /** By what the samples are weighed, one for each of `losses`. */
  readonly weightings: readonly Weighting[];
  /** What is known of the rows of labels. */
  readonly rows: RowNotes;
  readonly seed: number;
  /** The tolerance that was asked for and missed, in a sentence. */
  readonly missed?: string;
  /** Of all the rest: a sample that was changed on the way is found out. */
  readonly checksum: string;
}

type Fields = Record<string, unknown>;

/**
 * Of all that a sample holds besides it. It finds what was changed on the way, though not what was made to deceive.
 *
 * @returns 32 hexadecimal digits.
 */
export function checksumOf(sample: object): string {
  const { checksum: _, ...rest } = sample as Fields;
  return fingerprintOfData(rest);
}

const known = {
  version: true,
  parameters: true,
  losses: true,
  architecture: true,
  fingerprint: true,
  weightings: true,
  rows: true,
  seed: true,
  missed: true,
  samples: true,
  pairs: true,
  closedForm: true,
  inclusion: true,
  traces: true,
  loss: true,
  part: true,
  checksum: true,
} satisfies Record<keyof SharpnessSample, true>;

/**
 * Looks at every field of a sample as it came, perhaps by way of JSON.
 *
 * @param name what to call it in messages.
 * @throws Error with one line that names the field unless it has the form that `sampleSharpness` gives, and its checksum.
 * @throws RangeError with one line that names the field for a number out of range.
 */
export function checkSampleForm(name: string, sample: unknown): asserts sample is SharpnessSample {
  const of = `${name} is not what sampleSharpness returned: `;
  const fields = objectOf(`${of}it`, sample);
  if (fields.version !== SAMPLE_VERSION) {
    throw new Error(
      `${of}version must be ${SAMPLE_VERSION}, but it is ${fields.version}: take all samples with one version of tfjs-sharpness.`,
    );
  }
  const stranger = Object.keys(fields).find((field) => !Object.hasOwn(known, field));
  if (stranger !== undefined) {
    throw new Error(`${of}it has a field '${stranger}', which no sample has.`);
  }
  const parameters = listOf(`${of}parameters`, fields.parameters);
  eachOf(`${of}parameters`, parameters, (at, parameter) => checkText(at, parameter));
  const losses = listOf(`${of}losses`, fields.losses);
  eachOf(`${of}losses`, losses, checkLoss);
  eachOf(`${of}weightings`, listOf(`${of}weightings`, fields.weightings, losses.length), checkWeighting);
  const outputs = losses.map((loss) => (loss as SampledLoss).output);
  const { assumed, uneven, ...others } = objectOf(`${of}rows`, fields.rows);
  checkNoOthers(`${of}rows`, others);
  checkOutputs(`${of}rows.assumed`, assumed, outputs);
  checkOutputs(`${of}rows.uneven`, uneven, outputs);
  for (const field of ['architecture', 'fingerprint', 'checksum']) {
    checkText(`${of}${field}`, fields[field]);
  }
  if (fields.missed !== undefined) {
    checkText(`${of}missed`, fields.missed);
  }
  checkWhole(`${of}seed`, fields.seed);
  checkWhole(`${of}samples`, fields.samples, { atLeast: 1 });
  const inclusion = listOf(`${of}inclusion`, fields.inclusion);
  eachOf(`${of}inclusion`, inclusion, (at, pi) => checkNumber(at, pi, { above: 0, atMost: 1 }));
  checkWhole(`${of}pairs`, fields.pairs, { atLeast: inclusion.length });
  const closedForm = listOf(`${of}closedForm`, fields.closedForm, parameters.length);
  const isKnown = closedForm.map((sum) => sum !== null);
  eachOf(`${of}closedForm`, closedForm, (at, sum) => sum !== null && checkTrace(at, sum));
  checkTraces(`${of}traces`, fields.traces, isKnown, 0, inclusion.length);
  if (fields.loss !== undefined) {
    const { value, curvature, ...rest } = objectOf(`${of}loss`, fields.loss);
    checkNoOthers(`${of}loss`, rest);
    checkNumber(`${of}loss.value`, value);
    checkNumber(`${of}loss.curvature`, curvature, { atLeast: 0 });
  }
  if (fields.part !== undefined) {
    const { population, closedForm: ofSamples, sampleOf, ...rest } = objectOf(`${of}part`, fields.part);
    checkNoOthers(`${of}part`, rest);
    const samples = fields.samples;
    checkWhole(`${of}part.population`, population, { atLeast: samples });
    checkTraces(`${of}part.closedForm`, ofSamples, isKnown, samples, 0);
    const at = `${of}part.sampleOf`;
    eachOf(at, listOf(at, sampleOf, inclusion.length), (place, n) =>
      checkWhole(place, n, { atLeast: 0, atMost: samples - 1 }),
    );
  }
  if (fields.checksum !== checksumOf(fields)) {
    throw new Error(
      `${of}its checksum does not fit what it holds, so that it was changed on the way. Send it as it is.`,
    );
  }
}

/** One list of traces a parameter, as long as it has to be where the parameter's sum is known, and where not. */
function checkTraces(
  name: string,
  value: unknown,
  isKnown: readonly boolean[],
  whereKnown: number,
  elsewhere: number,
): void {
  eachOf(name, listOf(name, value, isKnown.length), (at, traces, b) => {
    eachOf(at, listOf(at, traces, isKnown[b] ? whereKnown : elsewhere), checkTrace);
  });
}

function checkTrace(name: string, value: unknown): void {
  checkNumber(name, value, { atLeast: 0 });
}

function checkLoss(name: string, value: unknown): void {
  const { output, loss, lossWeight, curvature, ...rest } = objectOf(name, value);
  checkNoOthers(name, rest);
  checkText(`${name}.output`, output);
  checkText(`${name}.loss`, loss);
  checkNumber(`${name}.lossWeight`, lossWeight, { above: 0 });
  if (curvature !== undefined) {
    eachOf(`${name}.curvature`, listOf(`${name}.curvature`, curvature), (at, each) => checkNumber(at, each));
  }
}

function checkWeighting(name: string, value: unknown): void {
  const { output, bySample, byClass, byLabels, ...rest } = objectOf(name, value);
  checkNoOthers(name, rest);
  checkText(`${name}.output`, output);
  checkBoolean(`${name}.bySample`, bySample);
  checkBoolean(`${name}.byLabels`, byLabels);
  if (byClass !== null) {
    for (const [index, weight] of Object.entries(objectOf(`${name}.byClass`, byClass))) {
      checkNumber(`${name}.byClass[${index}]`, weight, { atLeast: 0 });
    }
  }
}

/** Each at most once. */
function checkOutputs(name: string, value: unknown, outputs: readonly string[]): void {
  const list = listOf(name, value);
  eachOf(name, list, (at, output, i) => {
    if (!outputs.includes(output as string) || list.indexOf(output) < i) {
      throw new Error(`${at} must be one of the outputs, each at most once: ${outputs.join(', ')}.`);
    }
  });
}

function checkNoOthers(name: string, rest: Fields): void {
  const [stranger] = Object.keys(rest);
  if (stranger !== undefined) {
    throw new Error(`${name} has a field '${stranger}', which no sample has.`);
  }
}

function objectOf(name: string, value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${name} must be an object, for example as JSON.parse gives it.`);
  }
  return value as Fields;
}

function listOf(name: string, value: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new Error(`${name} must be an array.`);
  }
  if (length !== undefined && value.length !== length) {
    throw new Error(`${name} must have ${length} entries, but it has ${value.length}.`);
  }
  return value;
}

function eachOf(
  name: string,
  list: readonly unknown[],
  check: (name: string, value: unknown, i: number) => void,
): void {
  // Not `forEach`, which would step over holes.
  for (const [i, value] of list.entries()) {
    check(`${name}[${i}]`, value, i);
  }
}

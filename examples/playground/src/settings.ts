/**
 * What a visitor can choose. Plain data, and the same thing as text in the address of the page: `#data=spirals&optimizer=sam`. Defaults
 * are left out there.
 */
export const backendNames = ['webgpu', 'webgl', 'wasm', 'cpu'] as const;
export type BackendName = (typeof backendNames)[number];

/** One setting: its default, and how it is read from text. `undefined`: not a value that it can have. */
interface Field<Value> {
  readonly initial: Value;
  readonly read: (text: string) => Value | undefined;
  /** What values it can have, for a line about one that it cannot have. */
  readonly allowed: string;
}

function choice<const Value extends string>(values: readonly Value[], initial: NoInfer<Value>): Field<Value> {
  return { initial, read: (text) => values.find((value) => value === text), allowed: values.join(', ') };
}

/** @param step of which it is a multiple; where it is 0, it is any number. */
function number(initial: number, least: number, most: number, step = 0): Field<number> {
  const read = (text: string) => {
    const value = Number(text);
    const isInRange = text.trim() !== '' && value >= least && value <= most;
    const steps = value / step;
    return isInRange && (step === 0 || Math.abs(steps - Math.round(steps)) < 1e-9) ? value : undefined;
  };
  const what = step === 0 ? 'a number' : step === 1 ? 'a whole number' : `a multiple of ${step}`;
  return { initial, read, allowed: `${what} from ${least} to ${most}` };
}

function yesOrNo(initial: boolean): Field<boolean> {
  const read = (text: string) => (text === 'true' ? true : text === 'false' ? false : undefined);
  return { initial, read, allowed: 'true, false' };
}

const fields = {
  data: choice(['digits', 'spirals', 'moons', 'rings'], 'digits'),
  network: choice(['dense', 'cnn'], 'dense'),
  batchNorm: yesOrNo(false),
  optimizer: choice(['sgd', 'adam', 'sam', 'asam', 'penalty'], 'sgd'),
  learningRate: number(0.1, 1e-6, 10),
  /** How far uphill `sam` looks. */
  samRho: number(0.05, 0, 10),
  /** The same of `asam`, relative to the sizes of the weights. */
  asamRho: number(0.5, 0, 10),
  /** Weight of the penalty on Minimum Sharpness. */
  lambda: number(0.01, 0, 10),
  batchSize: number(64, 1, 1000, 1),
  /** Share of training labels that are drawn anew among all classes; some of them are right again. */
  noise: number(0, 0, 1, 0.05),
  /** How many digits are trained on; a toy has as many points as it has. */
  samples: number(2000, 100, 4000, 1),
  epochs: number(30, 1, 1000, 1),
  every: choice(['epoch', 'batches', 'share'], 'epoch'),
  earlyStopping: yesOrNo(false),
  patience: number(5, 1, 100, 1),
  backend: choice(backendNames, 'wasm'),
  place: choice(['worker', 'page'], 'worker'),
  seed: number(1, 0, 1e6, 1),
};

type Fields = typeof fields;
export type SettingName = keyof Fields;
export type Settings = { readonly [Name in SettingName]: Fields[Name]['initial'] };
export const settingNames = Object.keys(fields) as SettingName[];

export const defaults = Object.fromEntries(settingNames.map((name) => [name, fields[name].initial])) as Settings;

/** A learning rate to begin with, where the optimizer was changed. */
export const usualRate: Record<Settings['optimizer'], number> = {
  sgd: 0.1,
  adam: 0.002,
  sam: 0.1,
  asam: 0.1,
  penalty: 0.1,
};

/** Settings from texts by name, those that are missing by default, and a line about each text that is no such setting. */
export function readSettings(texts: Iterable<readonly [string, string]>): { settings: Settings; notes: string[] } {
  const settings: Record<string, unknown> = { ...defaults };
  const notes: string[] = [];
  for (const [name, text] of texts) {
    if (!Object.hasOwn(fields, name)) {
      notes.push(`There is no setting '${name}'.`);
      continue;
    }
    const { read, initial, allowed } = fields[name as SettingName] as Field<unknown>;
    const value = read(text);
    if (value === undefined) {
      notes.push(`${name} can be ${allowed}, but not '${text}': ${initial} is taken.`);
    }
    settings[name] = value ?? initial;
  }
  return { settings: settings as Settings, notes };
}

/** The settings of an address' part from `#` on. */
export const settingsOfHash = (hash: string) => readSettings(new URLSearchParams(hash.replace(/^#/, '')));

/** The same as text, without `#`. */
export function hashOf(settings: Settings): string {
  const changed = settingNames.filter((name) => settings[name] !== defaults[name]);
  return new URLSearchParams(changed.map((name) => [name, String(settings[name])])).toString();
}

/** What is slow or differs with these settings, though they can be trained with. */
export function remarksOn({ optimizer, backend }: Settings): string[] {
  return optimizer === 'penalty' && backend === 'webgpu'
    ? ['The penalty waits for the GPU in every second step, which takes long on WebGPU: wasm or WebGL may be faster.']
    : [];
}

/** Why these settings cannot be trained with, in one line that says what to choose; `undefined` where they can. */
export function conflictOf({ data, network, backend }: Settings): string | undefined {
  if (network === 'cnn' && data !== 'digits') {
    return 'Convolutions need images, and these data are points: choose digits, or the dense network.';
  }
  if (network === 'cnn' && backend === 'wasm') {
    return 'TensorFlow.js cannot train convolutions on wasm: choose WebGPU, WebGL or cpu, or the dense network.';
  }
  return undefined;
}

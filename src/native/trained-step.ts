import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Trains one step in its own process: a library that does not fit may end the process it is loaded into. */
const trainOneStep = `
Object.assign(require('node:util'), { isNullOrUndefined: (v) => v == null, isArray: Array.isArray });
const tf = require(process.argv[1]);
const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
model.fit(tf.ones([4, 2]), tf.ones([4, 1]), { verbose: 0 }).then(({ history }) => {
  if (!Number.isFinite(history.loss[0])) throw new Error('the loss of the first step is not a number');
  const { binding, isUsingGpuDevice } = tf.backend();
  console.log(JSON.stringify({ tensorflow: binding.TF_Version, gpu: isUsingGpuDevice }));
});
`;

/** What a package that trains has found. */
export interface TrainedStep {
  readonly tensorflow: string;
  readonly gpu: boolean;
}

/** Longest time in ms that a step takes: loading a library from a slow disk and starting a card are most of it. */
const PATIENCE_MS = 300_000;

/**
 * Loads the built package in a directory and trains one step; what it found, or the line that says why not.
 * @throws what `signal` was aborted with
 */
export async function trainedStep(
  directory: string,
  signal?: AbortSignal,
  patienceMs = PATIENCE_MS,
): Promise<TrainedStep | string> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', trainOneStep, directory], {
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', NODE_OPTIONS: '' },
      signal,
      timeout: patienceMs,
      killSignal: 'SIGKILL',
    });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as TrainedStep;
  } catch (error) {
    signal?.throwIfAborted();
    const { stderr, killed, signal: endedBy, code } = error as Partial<Failure>;
    if (killed) {
      return `did not train a step within ${patienceMs / 1000} seconds`;
    }
    const line = stderr?.split('\n').find((text) => /^\w*Error: /.test(text));
    return line ?? `ended with ${endedBy ?? (code === undefined ? 'no answer' : `exit code ${code}`)}`;
  }
}

/** What `execFile` says of a process that failed. */
interface Failure {
  readonly stderr: string;
  readonly killed: boolean;
  readonly signal: string | null;
  readonly code: number | string;
}

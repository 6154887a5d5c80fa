import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const executable = fileURLToPath(new URL('../.venv/bin/tensorboard', import.meta.url));

/** Whether `scripts/tensorboard-venv.sh` has been run. */
export const tensorBoardInstalled = existsSync(executable);

/** A TensorBoard that is serving. */
export interface TensorBoardServer {
  /** With a slash at the end. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts TensorBoard on a log folder, on a free port of 127.0.0.1. It looks for new data every second and keeps all
 * points. (Hence the large number: its fast reader takes 0 as none.)
 */
export async function startTensorBoard(logdir: string, options: string[] = []): Promise<TensorBoardServer> {
  if (!tensorBoardInstalled) {
    throw new Error('TensorBoard is not installed: run scripts/tensorboard-venv.sh');
  }
  const server = spawn(
    executable,
    ['--logdir', logdir, '--host', '127.0.0.1', '--port', '0', '--reload_interval', '1']
      .concat('--samples_per_plugin', 'scalars=1000000')
      .concat(options),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(server, 'exit');
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    exited.then(() => reject(new Error(`TensorBoard did not start:\n${output}`)), reject);
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const address = /at (http:\S+\/) /.exec(output)?.[1];
      if (address) {
        resolve(address);
      }
    });
  });
  return {
    url,
    async stop() {
      server.kill();
      await exited;
    },
  };
}

import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A project of a user's, and the packed package. */
export interface PackedProject {
  readonly folder: string;
  readonly tarball: string;
  /** Paths of the tarball's files. */
  readonly files: string[];
  write(name: string, text: string): void;
  /** Adds packages to the project, by what `npm install` takes. */
  install(...packages: string[]): void;
  /** Runs a command in the project; throws with all it wrote when it fails. */
  run(command: string, ...args: string[]): string;
  /** Runs a command in the project, however it ends. */
  try(command: string, ...args: string[]): SpawnSyncReturns<string>;
  remove(): void;
}

/** What hangs, a registry for example, ends; the test's own time limit stops nothing that is waited for synchronously. */
const LIMIT = { timeout: 300_000, killSignal: 'SIGKILL' } as const;

/** Packs the checkout's `dist` and installs the tarball beside `packages` in an empty project, as a user would. */
export function packedProject(...packages: string[]): PackedProject {
  const project = emptyProject();
  project.install(project.tarball, ...packages);
  return project;
}

/** Packs the checkout's `dist`, and makes an empty project where nothing is installed. */
export function emptyProject(): PackedProject {
  const root = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-packed-'));
  const pack = execFileSync('npm', ['pack', '--json', '--pack-destination', root], { encoding: 'utf8', ...LIMIT });
  const [{ filename, files }] = JSON.parse(pack) as [{ filename: string; files: { path: string }[] }];
  const folder = join(root, 'project');
  // What npm tells the test about its own project would be taken for settings of the new one.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_ENV$|^VITEST/.test(name)),
  );
  const spawn = (command: string, args: string[]) =>
    spawnSync(command, args, { cwd: folder, env, encoding: 'utf8', maxBuffer: 2 ** 26, ...LIMIT });
  const project: PackedProject = {
    folder,
    tarball: join(root, filename),
    files: files.map(({ path }) => path),
    write(name, text) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    },
    install(...packages) {
      project.run('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', ...packages);
    },
    run(command, ...args) {
      const { status, signal, stdout, stderr } = spawn(command, args);
      if (status !== 0) {
        throw new Error(`${command} ${args.join(' ')} ended with ${status ?? signal}:\n${stdout}${stderr}`);
      }
      return stdout;
    },
    try: (command, ...args) => spawn(command, args),
    remove: () => rmSync(root, { recursive: true }),
  };
  project.write('package.json', '{ "name": "empty", "private": true }');
  return project;
}

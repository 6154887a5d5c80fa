import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Block } from './pages.js';
import { root } from './pages.js';

/** What a block printed. */
export interface BlockRun {
  readonly stdout: string;
  /** Warnings, and the error that ended it, if one did. */
  readonly stderr: string;
  readonly failed: boolean;
  /** The folder that it ran in. */
  readonly folder: string;
}

export interface BlockRuns {
  readonly runs: readonly BlockRun[];
  /** What the type checker says of the blocks; empty if nothing. */
  readonly typeErrors: string;
  remove(): void;
}

/**
 * Checks the types of programs and runs them, one after the other in one process, which saves most of the time: loading tf.js. Each
 * is a module and has a working directory of its own.
 *
 * @param programs the code of each block, with what its page takes for granted.
 * @param files more modules beside them, by name.
 */
export async function runBlocks(
  blocks: readonly Block[],
  programs: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<BlockRuns> {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, '.cache', 'blocks-'));
  const names = blocks.map(({ page }, i) => `${basename(page, '.md')}-${i}`);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content);
  }
  names.forEach((name, i) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, `${name}.ts`), programs[i]!);
  });
  const steps = names.map(
    (name, i) => `
process.chdir(${JSON.stringify(join(folder, name))});
console.log('block ${i}');
console.error('block ${i}');
await import('./${name}.js').catch((error) => console.error('failed:', error));
`,
  );
  writeFileSync(join(folder, 'all.ts'), `${steps.join('')}console.log('block end');\nexport {};\n`);
  const compilerOptions = { noUnusedLocals: false };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
  );
  const [checked, ran] = await Promise.all([
    output(spawn('npx', ['tsc', '--project', folder], { cwd: root })),
    output(spawn('npx', ['tsx', 'all.ts'], { cwd: folder })),
  ]);
  const [stdout, stderr] = [ran.stdout, ran.stderr].map(byBlock) as [Map<string, string>, Map<string, string>];
  const ended = stdout.has('end');
  const runs = names.map((name, i): BlockRun => {
    const said = stderr.get(`${i}`) ?? ran.stderr;
    return {
      stdout: stdout.get(`${i}`) ?? '',
      stderr: said,
      failed: !stdout.has(`${i}`) || /^failed:/m.test(said) || (!ended && !stdout.has(`${i + 1}`)),
      folder: join(folder, name),
    };
  });
  return { runs, typeErrors: checked.stdout + checked.stderr, remove: () => rmSync(folder, { recursive: true }) };
}

async function output(child: ChildProcess): Promise<{ stdout: string; stderr: string }> {
  const all = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]!.setEncoding('utf8').on('data', (text: string) => {
      all[stream] += text;
    });
  }
  await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
  return all;
}

function byBlock(text: string): Map<string, string> {
  const parts = text.split(/^block (\d+|end)\n/m).slice(1);
  return new Map(parts.flatMap((part, i) => (i % 2 === 0 ? [[part, parts[i + 1]!] as const] : [])));
}

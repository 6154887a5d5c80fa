/** Runs every benchmark that is timed on the processor, one after the other, with the same options, and writes the tables of the pages anew. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> };
/** Counted or compared, not timed; and what another machine is for. */
const others = ['bench:launches', 'bench:gpu', 'bench:stopping', 'bench:farm'];
const names = Object.keys(scripts).filter((name) => name.startsWith('bench:') && !others.includes(name));
/** Where reports of a quick run go, which are no results. */
const quickFolder = '.cache/bench-quick';
const given = process.argv.slice(2);
const isQuick = given.includes('--quick');

if (given.includes('--help')) {
  console.log(`usage: npm run bench -- [options]

Runs ${names.join(', ')}, with these options:

  --quick  few turns of small settings, to ${quickFolder}: under ten minutes, and no figures for the pages
  --help   show this text

${others.join(', ')} run on their own.`);
} else if (given.some((option) => option !== '--quick')) {
  console.error(
    `Only --quick goes with all benchmarks, not '${given.join(' ')}' (npm run bench -- --help lists the options)`,
  );
  process.exitCode = 1;
} else {
  const commands = [
    ...names.map((name) => ['npm', 'run', '-s', name, '--', ...given, ...(isQuick ? ['--out', quickFolder] : [])]),
    ...(isQuick ? [] : [['npx', 'tsx', 'scripts/speed-tables.ts']]),
  ];
  for (const [command, ...args] of commands) {
    const { status } = spawnSync(command!, args, { cwd: root, stdio: 'inherit' });
    if (status !== 0) {
      process.exitCode = 1;
    }
  }
}

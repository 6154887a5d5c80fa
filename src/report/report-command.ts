import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Complain, exitCodeOf, problemOf } from '../files/failure.js';
import { optionalPackage } from '../files/optional-package.js';
import { counted } from '../names.js';
import { checkLocalPath } from '../training/files/local-path.js';
import { lineOf, reasonOf } from '../warnings.js';
import { sharpnessReport } from './sharpness-report.js';

/** Options of the command line. */
export interface ReportCommandOptions {
  readonly output: string;
  readonly title?: string;
  readonly png?: string;
}

/**
 * `npx tfjs-sharpness report`: writes the page and the picture, or says a line on standard error for each file that is wrong and writes
 * nothing.
 *
 * @param complain says a line and sets the exit code.
 */
export async function reportCommand(
  given: readonly string[],
  { output, title, png }: ReportCommandOptions,
  complain: Complain,
): Promise<void> {
  try {
    const sources = sourcesOf(given);
    const read = Array.isArray(sources) ? sources : Object.values(sources);
    checkOutput('--output', output, /\.html?$/i, 'report.html', read);
    if (png !== undefined) {
      checkOutput('--png', png, /\.png$/i, 'report.png', read);
    }
    const resvg = png === undefined ? undefined : await rasterizer();
    const words = [
      ...given,
      '-o',
      output,
      ...(title === undefined ? [] : ['--title', title]),
      ...(png ? ['--png', png] : []),
    ];
    const report = await sharpnessReport(sources, {
      ...(title !== undefined && { title }),
      command: `npx tfjs-sharpness report ${words.map(shellWord).join(' ')}`,
    });
    for (const note of report.notes) {
      console.error(`tfjs-sharpness: ${note}`);
    }
    await writeWhole(output, report.html);
    if (png !== undefined) {
      await writeWhole(png, resvg!(report.svg));
    }
    const readings = [...report.readings.values()].reduce((a, b) => a + b, 0);
    const names = [output, ...(png === undefined ? [] : [png])].join(', ');
    console.log(`${names}: ${counted(readings, 'reading')} of ${counted(report.readings.size, 'run')}`);
  } catch (error) {
    for (const line of reasonOf(error).split('\n')) {
      complain(line, exitCodeOf(problemOf(error).kind));
    }
  }
}

/** A file may be called epoch=10.jsonl; what is none is a name and a path. */
function sourcesOf(given: readonly string[]): readonly string[] | { readonly [name: string]: string } {
  const isNamed = (each: string) => !existsSync(each) && /^[^=]+=./.test(each);
  if (!given.some(isNamed)) {
    return given;
  }
  const sources = new Map<string, string>();
  for (const each of given) {
    const at = isNamed(each) ? each.indexOf('=') : -1;
    const [name, path] = at < 0 ? [each, each] : [each.slice(0, at), each.slice(at + 1)];
    if (sources.has(name)) {
      throw new Error(`${each}: '${name}' is ${sources.get(name)} already: give each file another name.`);
    }
    sources.set(name, path);
  }
  return Object.fromEntries(sources);
}

/** Refuses what would be written over something else. */
function checkOutput(option: string, path: string, ending: RegExp, example: string, read: readonly string[]): void {
  checkLocalPath(option, path);
  if (!ending.test(path)) {
    throw new Error(`${option} ${path}: name a file such as ${example}.`);
  }
  if (read.some((each) => resolve(each) === resolve(path))) {
    throw new Error(`${option} ${path}: this is a file that is read: name another.`);
  }
}

async function rasterizer(): Promise<(svg: string) => Uint8Array> {
  const { Resvg } = await optionalPackage<typeof import('@resvg/resvg-js')>('@resvg/resvg-js', '--png');
  return (svg) =>
    new Resvg(svg, {
      fitTo: { mode: 'zoom', value: 2 },
      font: { loadSystemFonts: true, sansSerifFamily: 'DejaVu Sans' },
    })
      .render()
      .asPng();
}

/** All at once, under another name first: what is cut off is never there under its own. */
async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const beside = `${path}.${process.pid}.new`;
  try {
    await writeFile(beside, content);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw new Error(`cannot write '${path}': ${lineOf(error)}`, { cause: error });
  }
}

/** A word as a shell takes it. */
function shellWord(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

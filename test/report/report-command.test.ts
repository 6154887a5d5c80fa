import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { reportCommand } from '../../src/report/report-command.js';
import { falling, lines, testFolder } from './readings.js';

const folder = testFolder();
let said: string[];
let codes: number[];
beforeEach(() => {
  [said, codes] = [[], []];
  vi.spyOn(console, 'log').mockImplementation((line) => said.push(line));
  vi.spyOn(console, 'error').mockImplementation((line) => said.push(line));
});
afterEach(() => vi.restoreAllMocks());

const run = (files: string[], options: { output: string; png?: string; title?: string }) =>
  reportCommand(files, options, (line, code) => {
    said.push(line);
    codes.push(code);
  });

it('writes the page and the picture, and says what was left out', async () => {
  const path = folder.write("it's.jsonl", `${lines(falling(4))}{"minimumSh`);
  const output = folder.at('report.html');
  await run([`SGD=${path}`], { output, png: folder.at('report.png') });
  expect(codes).toEqual([]);
  expect(said).toEqual([
    `tfjs-sharpness: ${path}: 1 broken line left out, the first is line 5.`,
    `${output}, ${folder.at('report.png')}: 4 readings of 1 run`,
  ]);
  const html = readFileSync(output, 'utf8');
  expect(html).toContain('<bdi>SGD</bdi>');
  expect(html).toContain(`npx tfjs-sharpness report 'SGD=${path.replace("'", "'\\''")}' -o ${output} --png`);
  expect([...readFileSync(folder.at('report.png')).subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
});

it('says a line for each wrong file, and writes nothing', async () => {
  const good = folder.write('good.jsonl', lines(falling(2)));
  const empty = folder.write('empty.jsonl', '');
  const before = readdirSync(folder.path);
  await run([good, empty, folder.at('none.jsonl')], { output: folder.at('new.html') });
  expect(codes).toEqual([2, 2]);
  expect(said).toEqual([`'${empty}' is empty.`, expect.stringMatching(/^cannot read .*none\.jsonl/)]);
  expect(readdirSync(folder.path)).toEqual(before);
});

it('does not write over what it reads, into what is no page, or where there is no folder', async () => {
  const path = folder.write('page.html', lines(falling(2)));
  for (const output of [
    path,
    folder.at('readings.jsonl'),
    's3://bucket/report.html',
    folder.at('no/such/report.html'),
  ]) {
    await run([path], { output });
    expect(said.at(-1)).not.toContain('\n');
    expect(codes.at(-1)).toBe(2);
  }
  await run([`SGD=${path}`], { output: path });
  expect(said.at(-1)).toMatch(/this is a file that is read: name another\.$/);
  await run([path], { output: folder.at('x.html'), png: folder.at('x.svg') });
  expect(said.at(-1)).toMatch(/--png .*: name a file such as report.png/);
  expect(existsSync(folder.at('x.html'))).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe(lines(falling(2)));
});

it('a name is given once, and a file may have a = in its own', async () => {
  const path = folder.write('epoch=1.jsonl', lines(falling(2)));
  await run([path], { output: folder.at('one.html') });
  expect(codes).toEqual([]);
  await run([`a=${path}`, `a=${path}`], { output: folder.at('two.html') });
  expect(codes).toEqual([2]);
});

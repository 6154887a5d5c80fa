import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import jpeg from 'jpeg-js';
import { beforeAll, expect, test } from 'vitest';
import { readImageFolder } from '../../src/files/image-folder.js';
import { testFolder } from './saved-model.js';

interface Pngjs {
  PNG: { new (size: { width: number; height: number }): object; sync: { write(png: object): Buffer } };
}
// It has no types of its own.
const { PNG } = (await import('pngjs' as string)) as Pngjs;
const folder = testFolder();

/** One colour, 2 x 1, in RGBA. */
function picture(name: string, colour: number[], width = 2): void {
  const data = Buffer.from(Array.from({ length: width }, () => colour).flat());
  const png = Object.assign(new PNG({ width, height: 1 }), { data });
  mkdirSync(join(folder.path, name, '..'), { recursive: true });
  writeFileSync(
    folder.at(name),
    /jpg$/.test(name) ? jpeg.encode({ width, height: 1, data }, 100).data : PNG.sync.write(png),
  );
}

beforeAll(() => {
  picture('classes/b/1.png', [10, 20, 30, 255]);
  picture('classes/b/2.PNG', [11, 20, 30, 255]);
  picture('classes/b/3.png', [12, 20, 30, 255]);
  picture('classes/a/1.jpg', [100, 100, 100, 255]);
  writeFileSync(folder.at('classes/a/notes.txt'), 'no image');
  for (const name of ['.hidden/1.png', 'cat/1.png', 'cat/2.png', 'cat/more/1.png']) {
    picture(`pets/${name}`, [name.length, 0, 0, 255]);
  }
  picture('elsewhere/1.png', [100, 0, 0, 255]);
  symlinkSync(folder.at('elsewhere'), folder.at('pets/axolotl'));
  mkdirSync(folder.at('gif/a'), { recursive: true });
  writeFileSync(folder.at('gif/a/1.gif'), 'GIF89a');
  picture('loose/1.png', [1, 2, 3, 4]);
  picture('sizes/1.png', [1, 1, 1, 255]);
  picture('sizes/2.png', [1, 1, 1, 255], 3);
  mkdirSync(folder.at('broken'));
  writeFileSync(folder.at('broken/1.png'), Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0));
  mkdirSync(folder.at('page'));
  writeFileSync(folder.at('page/1.jpg'), '<!doctype html>');
});

test('classes are folders in the order of their names, in turn, so that a limit leaves some of each', async () => {
  const { arrays, labels } = await readImageFolder(folder.at('classes'), [null, 1, 2, 3], 3);
  const { shape, values } = arrays.get('')!;
  expect(shape).toEqual([3, 1, 2, 3]);
  // A grey JPEG of the best quality stays nearly what it is.
  expect(Math.abs(values[0]! - 100)).toBeLessThan(3);
  expect([...values.subarray(6)]).toEqual([10, 20, 30, 10, 20, 30, 11, 20, 30, 11, 20, 30]);
  expect(labels!.get('')).toEqual({ shape: [3], values: Float32Array.of(0, 1, 1) });
  expect((await readImageFolder(folder.at('classes'), [null, 1, 2, 3], 100)).labels!.get('')!.shape).toEqual([4]);
});

test('loose images have no labels; channels are those of the model', async () => {
  const read = async (channels: number) => [
    ...(await readImageFolder(folder.at('loose'), [null, null, 2, channels], 9)).arrays.get('')!.values,
  ];
  expect(await read(4)).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
  expect(await read(3)).toEqual([1, 2, 3, 1, 2, 3]);
  // 0.299 R + 0.587 G + 0.114 B.
  expect(await read(1)).toEqual([2, 2]);
  expect(await readImageFolder(folder.at('loose'), [null, null, null, null], 9)).not.toHaveProperty('labels');
  await expect(read(2)).rejects.toThrow('images have 1, 3 or 4 channels, but the model takes 2.');
});

test.each([
  ['sizes', /2\.png' is 3 x 1, but others are 2 x 1: resize them/],
  ['broken', /1\.png' is not an image that can be read: [^\n]+$/],
  ['gif', /1\.gif' is neither PNG nor JPEG, [^\n]*: convert it/],
  ['page', /1\.jpg' is not an image that can be read: [^\n]+$/],
])('%s are refused', async (name, line) => {
  await expect(readImageFolder(folder.at(name), [null, 1, 2, 3], 9)).rejects.toThrow(line);
});

test("hidden folders are no classes, links and folders within are read, in Keras' order, whatever the limit", async () => {
  const read = async (limit: number) => {
    const { arrays, labels } = await readImageFolder(folder.at('pets'), [null, 1, 2, 3], limit);
    const { values } = arrays.get('')!;
    return { reds: [...values].filter((_, i) => i % 6 === 0), labels: [...labels!.get('')!.values] };
  };
  expect(await read(9)).toEqual({ reds: [100, 9, 9, 14], labels: [0, 1, 1, 1] });
  picture('classes/a/2.png', [7, 7, 7, 255]);
  const { labels } = await readImageFolder(folder.at('classes'), [null, 1, 2, 3], 4);
  expect([...labels!.get('')!.values]).toEqual([0, 0, 1, 1]);
});

test('an input without an axis for channels takes grey; channels first are refused', async () => {
  const shapeOf = async (input: (number | null)[]) =>
    (await readImageFolder(folder.at('loose'), input, 9)).arrays.get('')!.shape;
  expect(await shapeOf([null, 1, 2])).toEqual([1, 1, 2]);
  expect(await shapeOf([null, 2])).toEqual([1, 2]);
  await expect(shapeOf([null, 3, 1, 2])).rejects.toThrow('the model takes channels first, [3, 1, 2]: save the images');
});

test('the event loop has a turn for each image', async () => {
  let turns = 0;
  const count = () => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  await readImageFolder(folder.at('pets'), [null, 1, 2, 3], 9);
  clearImmediate(next);
  expect(turns).toBeGreaterThanOrEqual(4);
});

import { mkdirSync, writeFileSync } from 'node:fs';
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
  picture('loose/1.png', [1, 2, 3, 4]);
  picture('sizes/1.png', [1, 1, 1, 255]);
  picture('sizes/2.png', [1, 1, 1, 255], 3);
  mkdirSync(folder.at('broken'));
  writeFileSync(folder.at('broken/1.png'), Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0));
  mkdirSync(folder.at('page'));
  writeFileSync(folder.at('page/1.jpg'), '<!doctype html>');
});

test('classes are folders in the order of their names, in turn, so that a limit leaves some of each', async () => {
  const { arrays, labels } = await readImageFolder(folder.at('classes'), 3, 3);
  const { shape, values } = arrays.get('')!;
  expect(shape).toEqual([3, 1, 2, 3]);
  // A grey JPEG of the best quality stays nearly what it is.
  expect(Math.abs(values[0]! - 100)).toBeLessThan(3);
  expect([...values.subarray(6)]).toEqual([10, 20, 30, 10, 20, 30, 11, 20, 30, 11, 20, 30]);
  expect(labels!.get('')).toEqual({ shape: [3], values: Float32Array.of(0, 1, 1) });
  expect((await readImageFolder(folder.at('classes'), 3, 100)).labels!.get('')!.shape).toEqual([4]);
});

test('loose images have no labels; channels are those of the model', async () => {
  const read = async (channels: number) => [
    ...(await readImageFolder(folder.at('loose'), channels, 9)).arrays.get('')!.values,
  ];
  expect(await read(4)).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
  expect(await read(3)).toEqual([1, 2, 3, 1, 2, 3]);
  // 0.299 R + 0.587 G + 0.114 B.
  expect(await read(1)).toEqual([2, 2]);
  expect(await readImageFolder(folder.at('loose'), 3, 9)).not.toHaveProperty('labels');
  await expect(read(2)).rejects.toThrow('images have 1, 3 or 4 channels, but the model takes 2.');
});

test.each([
  ['sizes', /2\.png' is 3 x 1, but others are 2 x 1: resize them/],
  ['broken', /1\.png' is not an image that can be read: [^\n]+$/],
  ['page', /1\.jpg' is not an image that can be read: [^\n]+$/],
])('%s are refused', async (name, line) => {
  await expect(readImageFolder(folder.at(name), 3, 9)).rejects.toThrow(line);
});

import { appendFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFailure } from '../../src/files/failure.js';
import { bytesWithin, locate } from '../../src/files/place.js';
import { testFolder } from './saved-model.js';

describe('on the disk', () => {
  const folder = testFolder();
  beforeAll(() => {
    mkdirSync(folder.at('models/sub'), { recursive: true });
    writeFileSync(folder.at('models/model.json'), '1');
    writeFileSync(folder.at('models/sub/w.bin'), '2');
    writeFileSync(folder.at('secret'), '3');
    symlinkSync(folder.at('secret'), folder.at('models/link'));
    symlinkSync(folder.at('models/model.json'), folder.at('latest.json'));
  });

  test('a file, a folder that stands for one, and what lies beside and below', async () => {
    for (const path of [folder.at('models'), folder.at('models/model.json'), `${folder.at('models')}/`]) {
      const { name, place } = locate(path, 'model.json');
      expect(name).toBe('model.json');
      expect(Buffer.from(await place.read(name)).toString()).toBe('1');
      expect(Buffer.from(await place.read('sub/w.bin')).toString()).toBe('2');
    }
  });

  test('what lies outside is not read, neither by its path nor by a link; the file that was named may be a link', async () => {
    const { place } = locate(folder.at('models'), 'model.json');
    await expect(place.read('link')).rejects.toThrow(/is a link to outside of the model's folder/);
    for (const name of ['../secret', folder.at('secret'), 'sub/../../secret']) {
      await expect(place.read(name)).rejects.toThrow(/lies outside of the model's folder/);
    }
    const latest = locate(folder.at('latest.json'));
    expect((await latest.place.read(latest.name)).length).toBe(1);
    // Its weights lie where it leads.
    expect(Buffer.from(await latest.place.read('sub/w.bin')).toString()).toBe('2');
    const byUrl = locate(pathToFileURL(folder.at('models/model.json')).href);
    expect((await byUrl.place.read(byUrl.name)).length).toBe(1);
  });

  test('a file that becomes shorter while it is read is refused', async () => {
    writeFileSync(folder.at('shrinking'), Buffer.alloc(10 * 2 ** 20));
    const { name, place } = locate(folder.at('shrinking'));
    const wanted = () => {
      truncateSync(folder.at('shrinking'), 9 * 2 ** 20);
      return 0;
    };
    await expect(place.read(name, { head: 0, wanted, onBytes: () => {} })).rejects.toThrow(/has become shorter/);
  });

  test('a file that grows while it is read is read to where it ended', async () => {
    // Of more than one piece.
    writeFileSync(folder.at('growing'), Buffer.alloc(10 * 2 ** 20, 'a'));
    const { name, place } = locate(folder.at('growing'));
    const sizes: number[] = [];
    const wanted = () => {
      appendFileSync(folder.at('growing'), Buffer.alloc(10 * 2 ** 20, 'b'));
      return 0;
    };
    const onBytes = (bytes: Uint8Array) => {
      expect(bytes.includes('b'.charCodeAt(0))).toBe(false);
      sizes.push(bytes.length);
    };
    await place.read(name, { head: 0, wanted, onBytes });
    expect(sizes.reduce((sum, size) => sum + size)).toBe(10 * 2 ** 20);
  });

  test('what is not there, a folder, and a file for a folder are told', async () => {
    expect(() => locate(folder.at('none'))).toThrow(/there is no such file/);
    expect(() => locate(folder.at('models'))).toThrow(/is a folder: name a file/);
    expect(() => locate(folder.at('secret/x'))).toThrow(/what should be a folder on its way is a file/);
    await expect(locate(folder.at('models'), 'model.json').place.read('sub')).rejects.toThrow(/it is a folder/);
  });
});

describe('on a server', () => {
  let server: Server;
  let base: string;
  const asked: string[] = [];
  beforeAll(async () => {
    server = createServer(({ url }, response) => {
      asked.push(url!);
      response.statusCode = url!.includes('none') ? 404 : 200;
      const zeros = Buffer.alloc(100_000);
      if (url === '/zipped') {
        response.setHeader('content-encoding', 'gzip').end(gzipSync(zeros));
      } else if (url === '/chunked') {
        response.write(zeros.subarray(0, 50_000));
        response.end(zeros.subarray(50_000));
      } else if (url === '/said') {
        response.end(zeros);
      } else {
        response.end(url);
      }
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  test('files beside a URL, whose query is its own', async () => {
    const { name, place } = locate(`${base}/a/model.json?key=1`);
    expect(name).toBe('model.json');
    const read = async (file: string) => Buffer.from(await place.read(file)).toString();
    expect(await read(name)).toBe('/a/model.json?key=1');
    expect(await read('w.bin')).toBe('/a/w.bin');
    expect(locate(`${base}/a/`, 'model.json').name).toBe('model.json');
  });

  test('no other folder and no other server is asked', async () => {
    const { place } = locate(`${base}/a/model.json`);
    const before = asked.length;
    for (const name of ['../b', '/b', 'http://127.0.0.1:1/w.bin', '//127.0.0.1:1/w.bin']) {
      await expect(place.read(name)).rejects.toThrow(/lies outside/);
    }
    expect(asked.length).toBe(before);
  });

  test('what is no URL is told, as the fault of the input', async () => {
    const wrong = (path: string) => {
      try {
        locate(path);
      } catch (error) {
        return { line: (error as Error).message, isFailure: isFailure(error) };
      }
      return undefined;
    };
    expect(wrong('https://h:99999/x.keras')).toEqual({
      line: "'https://h:99999/x.keras' is no URL.",
      isFailure: false,
    });
    expect(wrong('file://h/x.keras')).toMatchObject({
      line: expect.stringContaining("'file://h/x.keras' is no URL of"),
    });
    expect(wrong('file:///a%2Fb')).toMatchObject({ isFailure: false });
    await expect(locate(`${base}/a/model.json`).place.read('//h:99999/w.bin')).rejects.toThrow(/is no URL\.$/);
  });

  test('what is sent is counted as it comes, compressed or not', async () => {
    const answer = (path: string) => fetch(`${base}${path}`);
    for (const path of ['/chunked', '/zipped', '/said']) {
      expect(await bytesWithin(await answer(path), 99_999), path).toBeUndefined();
      expect((await bytesWithin(await answer(path), 100_000))!.length, path).toBe(100_000);
    }
    expect(await bytesWithin(new Response(null), 1)).toHaveLength(0);
  });

  test('what the server answers is told', async () => {
    const { name, place } = locate(`${base}/none.npy`);
    await expect(place.read(name)).rejects.toThrow(/the server answers 404 Not Found$/);
    const gone = locate('http://127.0.0.1:1/x.npy');
    await expect(gone.place.read(gone.name)).rejects.toThrow(/^cannot read http:\/\/127\.0\.0\.1:1\/x\.npy: [^\n]+$/);
  });
});

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { wheels } from '../../src/native/wheel.js';
import { fetchWheel, wheelCache } from '../../src/native/wheel-cache.js';
import { ownFolder } from './own-folder.js';

const wheel = wheels['@tensorflow/tfjs-node'];
const { folder, bin, command } = ownFolder();
const say = () => {};

describe('one line says what is missing', () => {
  test('a download that fails leaves nothing behind', async () => {
    command('python', 'echo "ERROR: no matching distribution" >&2; exit 1');
    const fetched = fetchWheel(wheel, join(bin(), 'python'), say, wheelCache(join(folder(), 'cache')));
    await expect(fetched).rejects.toThrow(/^download failed: no matching distribution$/);
    expect(readdirSync(join(folder(), 'cache'))).toEqual([]);
  });

  test('a download with another content', async () => {
    // A pip that does not check: one of its arguments is --dest=<folder>.
    command('python', `for a; do case "$a" in --dest=*) echo x > "\${a#--dest=}/${wheel.file}";; esac; done`);
    const fetched = fetchWheel(wheel, join(bin(), 'python'), say, wheelCache(join(folder(), 'cache')));
    await expect(fetched).rejects.toThrow(/^download failed: .* does not have the expected sha256$/);
    expect(readdirSync(join(folder(), 'cache'))).toEqual([]);
  });

  test('a download that wrote nothing', async () => {
    command('python', 'exit 0');
    const fetched = fetchWheel(wheel, join(bin(), 'python'), say, wheelCache(join(folder(), 'cache')));
    await expect(fetched).rejects.toThrow(/^download failed: .* does not have the expected sha256$/);
  });

  test('a folder for the cache', async () => {
    const path = (name: string) => join(folder(), name);
    const mend = ': set XDG_CACHE_HOME to a folder that can be written';
    writeFileSync(path('file'), '');
    symlinkSync(path('unmounted'), path('link'));
    expect(() => wheelCache(path('file'))).toThrow(`${path('file')} is not a folder, where one should be${mend}`);
    expect(() => wheelCache(path('link'))).toThrow(mend);
    expect(() => wheelCache('/sys/cache')).toThrow(`no permission for /sys/cache${mend}`);
    vi.stubEnv('XDG_CACHE_HOME', path('set'));
    expect(wheelCache()).toBe(path('set/tfjs-sharpness'));
  });
});

test('a damaged wheel in the cache is fetched again', async () => {
  const cache = join(folder(), 'cache');
  mkdirSync(cache);
  writeFileSync(join(cache, wheel.file), 'half of it');
  command('python', 'echo "ERROR: offline" >&2; exit 1');
  const lines: string[] = [];
  const fetched = fetchWheel(wheel, join(bin(), 'python'), (line) => lines.push(line), cache);
  await expect(fetched).rejects.toThrow('download failed: offline');
  expect(lines[0]).toMatch(/damaged: downloading it again$/);
});

/** A wheel whose content is "x\n", and a pip that downloads it. */
function smallWheel() {
  command('python', `for a; do case "$a" in --dest=*) echo x > "\${a#--dest=}/${wheel.file}";; esac; done`);
  return { ...wheel, bytes: 2, sha256: createHash('sha256').update('x\n').digest('hex') };
}

test('a folder, or a link to nothing, in the place of the wheel', async () => {
  const small = smallWheel();
  const cache = wheelCache(join(folder(), 'cache'));
  const place = join(cache, wheel.file);
  mkdirSync(join(place, 'in'), { recursive: true });
  expect(await fetchWheel(small, join(bin(), 'python'), say, cache)).toBe(place);
  rmSync(place);
  symlinkSync(join(folder(), 'unmounted'), place);
  expect(await fetchWheel(small, join(bin(), 'python'), say, cache)).toBe(place);
  expect(readFileSync(place, 'utf8')).toBe('x\n');
});

test('a wheel is downloaded once, under the name that says what it is', async () => {
  const small = smallWheel();
  const cache = wheelCache(join(folder(), 'cache'));
  expect(await fetchWheel(small, join(bin(), 'python'), say, cache)).toBe(join(cache, wheel.file));
  command('python', 'echo "ERROR: called again" >&2; exit 1');
  const lines: string[] = [];
  expect(await fetchWheel(small, join(bin(), 'python'), (line) => lines.push(line), cache)).toBe(
    join(cache, wheel.file),
  );
  expect(lines).toEqual(['tensorflow-cpu 2.21.0 is in the cache']);
  expect(readdirSync(cache)).toEqual([wheel.file]);
});

test('what a killed download left behind is removed, all else in the cache stays', async () => {
  const cache = wheelCache(join(folder(), 'cache'));
  mkdirSync(join(cache, 'download-aBc123'));
  writeFileSync(join(cache, 'download-aBc123', wheel.file), 'half of it');
  writeFileSync(join(cache, 'other.whl'), '');
  await fetchWheel(smallWheel(), join(bin(), 'python'), say, cache);
  expect(readdirSync(cache).sort()).toEqual(['other.whl', wheel.file]);
});

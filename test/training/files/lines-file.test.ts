import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isBlank, linesFile } from '../../../src/training/files/lines-file.js';

vi.mock('node:fs', async (importOriginal) => {
  const actual = await importOriginal<typeof fs>();
  const [writeSync, fstatSync] = [vi.fn(actual.writeSync), vi.fn(actual.fstatSync)];
  const renameSync = vi.fn(actual.renameSync);
  // As Windows does, of a file that is open for appending.
  const ftruncateSync = () => {
    throw new Error('EPERM: operation not permitted, ftruncate');
  };
  return { ...actual, writeSync, fstatSync, renameSync, ftruncateSync };
});

let folder: string;
let path: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'lines-'));
  path = join(folder, 'runs', 'a.txt');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Whole lines end with a full stop. Tells what happened to the file. */
function kindOf() {
  const cut: string[] = [];
  const checked: [string, boolean][] = [];
  let replaced = 0;
  return {
    cut,
    checked,
    get replaced() {
      return replaced;
    },
    check(first: string, ends: boolean) {
      checked.push([first, ends]);
      if (first.startsWith('alien')) {
        throw new Error('not ours');
      }
    },
    isWhole: (last: string) => last.endsWith('.'),
    onCut: (last: string) => void cut.push(last),
    onReplaced: () => void replaced++,
  };
}
const content = () => fs.readFileSync(path, 'utf8');
function found(text: string | Buffer) {
  fs.mkdirSync(join(folder, 'runs'), { recursive: true });
  fs.writeFileSync(path, text);
}

describe('linesFile', () => {
  it('makes the file and its folder, and holds each line as soon as append returns', () => {
    const file = linesFile(path, kindOf());
    expect(fs.existsSync(path)).toBe(false);
    expect(file.firstLineIfChanged()).toBe('');
    for (const [i, line] of ['one.', 'two.', 'grüße.'].entries()) {
      file.append(`${line}\n`);
      expect(content().split('\n')).toHaveLength(i + 2);
      expect(file.firstLineIfChanged()).toBeUndefined();
    }
    expect(content()).toBe('one.\ntwo.\ngrüße.\n');
  });

  it('goes on with what is there, and completes or takes away a last line without a line break', () => {
    for (const [text, mended, cut] of [
      ['one.\n', 'one.\n', []],
      ['one.\ntwo.', 'one.\ntwo.\n', []],
      ['one.\ntw', 'one.\n', ['tw']],
      ['one.\n\0\0\0\0', 'one.\n', ['\0\0\0\0']],
      ['on', '', ['on']],
      ['', '', []],
      [`one.\n${'x'.repeat(200_000)}`, 'one.\n', ['x'.repeat(200_000)]],
      [`${'x'.repeat(200_000)}.\ntwo`, `${'x'.repeat(200_000)}.\n`, ['two']],
    ] as const) {
      found(text);
      const kind = kindOf();
      const file = linesFile(path, kind);
      expect(file.firstLineIfChanged()).toBe(mended.split('\n')[0]);
      expect(content()).toBe(mended);
      expect(kind.cut).toEqual(cut);
      file.append('next.\n');
      expect(content()).toBe(`${mended}next.\n`);
    }
  });

  it('mends whatever prefix of a file a crash has left, and glues nothing to it', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-zé ]{0,9}$/), { maxLength: 5 }), fc.nat(60), (words, at) => {
        const whole = Buffer.from(words.map((word) => `${word}.\n`).join(''));
        found(whole.subarray(0, at));
        const file = linesFile(path, kindOf());
        file.firstLineIfChanged();
        file.append('next.\n');
        const lines = content().split('\n').slice(0, -1);
        expect(lines.at(-1)).toBe('next.');
        expect(lines.slice(0, -1)).toEqual(words.map((word) => `${word}.`).slice(0, lines.length - 1));
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('touches no file that somebody else wrote', () => {
    for (const text of ['alien\nfile', 'alien']) {
      found(text);
      expect(() => linesFile(path, kindOf()).firstLineIfChanged()).toThrow('not ours');
      expect(content()).toBe(text);
    }
    const kind = kindOf();
    found('one.\ntwo.\n');
    linesFile(path, kind).firstLineIfChanged();
    found('one');
    linesFile(path, kind).firstLineIfChanged();
    expect(kind.checked).toEqual([
      ['one.', true],
      ['one', false],
    ]);
  });

  it('notices that the file was removed, replaced, shortened or written by somebody else', () => {
    const kind = kindOf();
    const file = linesFile(path, kind);
    const begin = () => {
      file.firstLineIfChanged();
      file.append('one.\ntwo.\n');
    };
    begin();
    fs.appendFileSync(path, 'three.');
    expect(file.firstLineIfChanged()).toBe('one.');
    expect([content(), kind.replaced]).toEqual(['one.\ntwo.\nthree.\n', 0]);
    file.append('four.\n');

    fs.rmSync(join(folder, 'runs'), { recursive: true });
    expect(file.firstLineIfChanged()).toBe('');
    expect(kind.replaced).toBe(1);
    begin();
    fs.truncateSync(path, 6);
    expect(file.firstLineIfChanged()).toBe('one.');
    expect([content(), kind.replaced]).toEqual(['one.\n', 2]);
    file.append('two.\n');
    fs.renameSync(path, `${path}.1`);
    expect(file.firstLineIfChanged()).toBe('');
    expect(kind.replaced).toBe(3);
  });

  it('leaves no part of a line where the disk is full', () => {
    const file = linesFile(path, kindOf());
    file.firstLineIfChanged();
    file.append('one.\n');
    const write = vi.mocked(fs.writeSync) as unknown as ReturnType<typeof vi.fn>;
    const actual = write.getMockImplementation() as typeof fs.writeSync;
    write.mockImplementationOnce((descriptor: number, bytes: Uint8Array) => actual(descriptor, bytes, 0, 2));
    write.mockImplementationOnce(() => {
      throw new Error('ENOSPC');
    });
    expect(() => file.append('two.\n')).toThrow('ENOSPC');
    expect(content()).toBe('one.\n');
    expect(file.firstLineIfChanged()).toBeUndefined();
    file.append('three.\n');
    expect(content()).toBe('one.\nthree.\n');
  });

  it('cuts nothing that another process is writing, and glues nothing to it', () => {
    const kind = kindOf();
    const file = linesFile(path, kind);
    file.firstLineIfChanged();
    for (const line of ['one.\n', 'two.\n']) {
      fs.appendFileSync(path, 'half of a li');
      expect(file.firstLineIfChanged()).toMatch(/^half/);
      file.append(line);
    }
    expect(content()).toBe('half of a li\none.\nhalf of a li\ntwo.\n');
    expect([kind.cut, kind.replaced]).toEqual([[], 0]);
  });

  it('looks again, before it cuts, where a last line has grown meanwhile', () => {
    found('one.\ntw');
    const fstat = vi.mocked(fs.fstatSync) as unknown as ReturnType<typeof vi.fn>;
    const actual = fstat.getMockImplementation() as typeof fs.fstatSync;
    fstat.mockImplementationOnce((descriptor: number) => {
      const before = actual(descriptor);
      fs.appendFileSync(path, 'o.\n');
      return before;
    });
    const kind = kindOf();
    linesFile(path, kind).firstLineIfChanged();
    expect([content(), kind.cut]).toEqual(['one.\ntwo.\n', []]);
  });

  it('takes away none of the lines that another process has written behind its part of one', () => {
    const file = linesFile(path, kindOf());
    file.firstLineIfChanged();
    const write = vi.mocked(fs.writeSync) as unknown as ReturnType<typeof vi.fn>;
    const actual = write.getMockImplementation() as typeof fs.writeSync;
    write.mockImplementationOnce((descriptor: number, bytes: Uint8Array) => actual(descriptor, bytes, 0, 2));
    write.mockImplementationOnce(() => {
      fs.appendFileSync(path, '\nother.\n');
      throw new Error('ENOSPC');
    });
    expect(() => file.append('two.\n')).toThrow('ENOSPC');
    expect(content()).toBe('tw\nother.\n');
  });

  it('is replaced as a whole, and gone on with', () => {
    const file = linesFile(path, kindOf());
    file.firstLineIfChanged();
    file.append('one.\n');
    file.replace('uno.\ndue.\n');
    expect(file.firstLineIfChanged()).toBeUndefined();
    file.append('tre.\n');
    expect(content()).toBe('uno.\ndue.\ntre.\n');
    expect(fs.readdirSync(join(folder, 'runs'))).toEqual(['a.txt']);
  });

  it('is not replaced where another process has written meanwhile', () => {
    found('one.\n');
    const file = linesFile(path, kindOf());
    file.firstLineIfChanged();
    fs.appendFileSync(path, 'two.\n');
    expect(file.replace('uno.\n')).toBe(false);
    expect([content(), fs.readdirSync(join(folder, 'runs'))]).toEqual(['one.\ntwo.\n', ['a.txt']]);
    file.firstLineIfChanged();
    expect(file.replace('uno.\ndue.\n')).toBe(true);
    // Another file of the same size in its place.
    fs.writeFileSync(`${path}.other`, 'one.\ntwo.\n');
    fs.renameSync(`${path}.other`, path);
    expect(file.replace('tre.\n')).toBe(false);
    expect(content()).toBe('one.\ntwo.\n');
  });

  it('is replaced where a link leads to, and a link stays', () => {
    found('one.\n');
    const link = join(folder, 'link.txt');
    fs.symlinkSync(path, link);
    const file = linesFile(link, kindOf());
    file.firstLineIfChanged();
    file.replace('uno.\n');
    expect(fs.readlinkSync(link)).toBe(path);
    expect(content()).toBe('uno.\n');
    expect(file.firstLineIfChanged()).toBeUndefined();
  });

  it('stays as it was where it cannot be replaced, and nothing is left beside it', () => {
    found('one.\n');
    const file = linesFile(path, kindOf());
    file.firstLineIfChanged();
    vi.mocked(fs.renameSync).mockImplementationOnce(() => {
      throw new Error('EBUSY');
    });
    expect(() => file.replace('uno.\n')).toThrow('EBUSY');
    expect([content(), fs.readdirSync(join(folder, 'runs'))]).toEqual(['one.\n', ['a.txt']]);
  });

  it('closes what it opens, also where something fails', () => {
    const descriptors = () => fs.readdirSync('/proc/self/fd').length;
    const before = process.platform === 'linux' ? descriptors() : 0;
    for (let i = 0; i < 20; i++) {
      const file = linesFile(path, kindOf());
      file.firstLineIfChanged();
      file.append('one.\n');
      found('alien lines');
      expect(() => file.firstLineIfChanged()).toThrow();
      fs.rmSync(path);
    }
    expect(process.platform === 'linux' ? descriptors() : 0).toBe(before);
  });
});

it('nothing is blank, also as zeros', () => {
  expect(['', ' \r', '\0\0', '\0a', 'a'].map(isBlank)).toEqual([true, true, true, false, false]);
});

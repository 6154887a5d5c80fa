import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { from, merge, Subject, Subscription, throwError } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { tensorBoardWriter } from '../../../src/node.js';
import { property } from '../../../src/training/control/setting.js';
import { steer } from '../../../src/training/control/steer.js';
import { type EpochLogs, withEpochLogs } from '../../../src/training/streams/epoch-logs.js';
import { eventFiles, readLogdir, readScalars, readStarts, readTexts } from './event-reader.js';
import { expectedCharts, trainingReadings } from './training.js';

vi.mock('node:fs', async (importOriginal) => {
  const actual = await importOriginal<typeof fs>();
  return { ...actual, writeSync: vi.fn(actual.writeSync), closeSync: vi.fn(actual.closeSync) };
});

let logdir: string;
let warn: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  logdir = fs.mkdtempSync(join(tmpdir(), 'tensorboard-'));
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.mocked(fs.closeSync).mockClear();
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(logdir, { recursive: true });
});

const [reading] = trainingReadings(1) as [SharpnessReading];
const emitReadings = ['--import', 'tsx', 'test/training/tensorboard/emit-readings.ts'];

describe('what a reading leaves in the event file', () => {
  it('is every number of it, under its tag, as float32', () => {
    const readings = trainingReadings(3);
    const before = Date.now() / 1000;
    from(readings).subscribe(tensorBoardWriter(logdir));

    const scalars = readLogdir(logdir);
    const charts: Record<string, [number, number][]> = {};
    for (const { tag, step, value } of scalars) {
      charts[tag] = [...(charts[tag] ?? []), [step, value]];
    }
    expect(charts).toEqual(expectedCharts(readings));
    for (const { dtype, wallTime } of scalars) {
      expect(dtype).toBe(1);
      expect(wallTime).toBeGreaterThanOrEqual(before);
      expect(wallTime).toBeLessThanOrEqual(Date.now() / 1000);
    }
  });

  it('describes each tag in its first event, and only there', () => {
    from(trainingReadings(3)).subscribe(tensorBoardWriter(logdir));
    const described = readLogdir(logdir).filter(({ description }) => description !== undefined);
    expect(described.map(({ tag }) => tag)).toHaveLength(5 + reading.scales.length + reading.parameters.length);
    for (const { step, plugin, dataClass, description } of described) {
      expect({ step, plugin, dataClass }).toEqual({ step: 60, plugin: 'scalars', dataClass: 1 });
      expect(description).toMatch(/^\S.*\.$/);
    }
    expect(described[0]!.description).toContain('Minimum Sharpness');
  });

  it('keeps infinite and zero alphas', () => {
    const scales = [0, Infinity].map((alpha, index) => ({ layer: `dense${index}`, alpha }));
    from([{ ...reading, scales }]).subscribe(tensorBoardWriter(logdir));
    const alphas = readLogdir(logdir).filter(({ tag }) => tag.startsWith('sharpness_alpha/'));
    expect(alphas.map(({ tag, value }) => [tag, value])).toEqual([
      ['sharpness_alpha/dense0', 0],
      ['sharpness_alpha/dense1', Infinity],
    ]);
  });

  it('gives names that occur twice tags of their own', () => {
    const parameters = [1, 2, 3].map((trace) => ({ name: 'dense/kernel', layer: 'dense', trace, standardError: 0 }));
    from([{ ...reading, parameters }]).subscribe(tensorBoardWriter(logdir));
    const traces = readLogdir(logdir).filter(({ tag }) => tag.startsWith('sharpness_trace/'));
    expect(traces.map(({ tag, value }) => [tag, value])).toEqual([
      ['sharpness_trace/dense.kernel', 1],
      ['sharpness_trace/dense.kernel_2', 2],
      ['sharpness_trace/dense.kernel_3', 3],
    ]);
  });

  it('counts readings that have no step, on from the last step', () => {
    const { step: _, ...unnumbered } = reading;
    from([unnumbered, unnumbered, { ...reading, step: 100 }, unnumbered]).subscribe(tensorBoardWriter(logdir));
    expect(new Set(readLogdir(logdir).map(({ step }) => step))).toEqual(new Set([0, 1, 100, 101]));
  });

  it('holds steps beyond 32 bits', () => {
    from([{ ...reading, step: 2 ** 40 + 1 }]).subscribe(tensorBoardWriter(logdir));
    expect(readLogdir(logdir)[0]!.step).toBe(2 ** 40 + 1);
  });

  it('carries the prefix in every group', () => {
    from([reading]).subscribe(tensorBoardWriter(logdir, { prefix: 'validation' }));
    const groups = new Set(readLogdir(logdir).map(({ tag }) => tag.split('/')[0]));
    expect(groups).toEqual(new Set(['validation', 'validation_interval', 'validation_alpha', 'validation_trace']));
  });
});

describe('what a controller leaves in the event file', () => {
  const halving = {
    begin: (value: number) => ({ value }),
    next: ({ value }: { value: number }, { epoch }: SharpnessReading) => ({ value: epoch === 1 ? value / 2 : value }),
  };
  const points = (tag: string) =>
    readLogdir(logdir)
      .filter((scalar) => scalar.tag === tag)
      .map(({ step, value }) => [step, value]);

  it('is its value at every reading, beside the reading and in the same file', () => {
    const readings = trainingReadings(3);
    const readings$ = new Subject<SharpnessReading>();
    const steering = steer(readings$, halving, property({ learningRate: 0.5 }, 'learningRate', 'learning_rate'));
    merge(readings$, steering.values$).subscribe(tensorBoardWriter(logdir));
    for (const each of readings) {
      readings$.next(each);
    }
    readings$.complete();

    expect(points('sharpness_control/learning_rate')).toEqual([
      [60, 0.5],
      [120, 0.25],
      [180, 0.25],
    ]);
    expect(points('sharpness/trace')).toEqual(expectedCharts(readings)['sharpness/trace']);
    const described = readLogdir(logdir).filter(({ tag }) => tag.startsWith('sharpness_control/'));
    expect(described.map(({ description, plugin }) => [description, plugin])).toEqual([
      [expect.stringMatching(/controller/), 'scalars'],
      [undefined, undefined],
      [undefined, undefined],
    ]);
    expect(fs.closeSync).toHaveBeenCalledTimes(1);
  });

  it('is the changes alone, under a prefix, with the slashes of the name as dots', () => {
    const readings$ = new Subject<SharpnessReading>();
    const steering = steer(readings$, halving, property({ rho: 0.5 }, 'rho', 'sam/rho'));
    steering.changes$.subscribe(tensorBoardWriter(logdir, { prefix: 'validation' }));
    for (const each of trainingReadings(3)) {
      readings$.next(each);
    }
    expect(readLogdir(logdir).map(({ tag, step, value }) => [tag, step, value])).toEqual([
      ['validation_control/sam.rho', 120, 0.25],
    ]);
  });

  it('counts with readings that have no step', () => {
    const readings$ = new Subject<SharpnessReading>();
    const steering = steer(readings$, halving, property({ rho: 0.5 }, 'rho'));
    merge(readings$, steering.values$).subscribe(tensorBoardWriter(logdir));
    const { step: _, ...unnumbered } = reading;
    for (let i = 0; i < 3; i++) {
      readings$.next(unnumbered);
    }
    expect(points('sharpness_control/rho').map(([step]) => step)).toEqual([0, 1, 2]);
    expect(points('sharpness/minimum').map(([step]) => step)).toEqual([0, 1, 2]);
  });
});

describe('what was logged of an epoch', () => {
  const logs = (step: number, values: Record<string, number>) => ({ step, epoch: 0, batches: 10, logs: values });
  const points = () =>
    readLogdir(logdir)
      .filter(({ tag }) => /_logs|minimum/.test(tag))
      .map(({ tag, step, value }) => [tag, step, value]);

  it('has charts of its own, over the same steps', () => {
    const writer = tensorBoardWriter(logdir, { prefix: 'val' });
    writer.next({ ...reading, step: 10, minimumSharpness: 4 });
    writer.next(logs(10, { loss: 0.5, acc: 0.75, minimumSharpness: 4 }));
    expect(points()).toEqual([
      ['val/minimum', 10, 4],
      ['val_logs/loss', 10, 0.5],
      ['val_logs/acc', 10, 0.75],
      ['val_logs/minimumSharpness', 10, 4],
    ]);
  });

  it('goes with the readings that withEpochLogs has given it to', () => {
    const readings$ = new Subject<SharpnessReading>();
    const logs$ = new Subject<EpochLogs>();
    readings$.pipe(withEpochLogs(logs$)).subscribe(tensorBoardWriter(logdir));
    readings$.next({ ...reading, step: 10, minimumSharpness: 4 });
    logs$.next(logs(10, { loss: 0.5 }));
    expect(points()).toEqual([
      ['sharpness/minimum', 10, 4],
      ['sharpness_logs/loss', 10, 0.5],
    ]);
  });
});

describe('the text', () => {
  const texts = () => readLogdir(logdir, readTexts).filter(({ tag }) => tag.endsWith('/reading'));

  it('says what the reading takes for granted, and which layers trade scale, when that changes', () => {
    const writer = tensorBoardWriter(logdir);
    const changes = [[], [], ['Dropout is off.'], ['Dropout is off.'], []];
    changes.forEach((assumptions, i) => {
      writer.next({ ...reading, step: i, minimumSharpness: i, assumptions });
    });
    expect(texts().map(({ step, text }) => [step, String(text).includes('- Dropout is off.')])).toEqual([
      [0, false],
      [2, true],
      [4, false],
    ]);
    expect(String(texts()[0]!.text)).toContain('`conv2d_Conv2D1`, `conv2d_Conv2D2`, `dense_Dense1`');
    expect(texts().map(({ tag, dtype, plugin, dataClass }) => [tag, dtype, plugin, dataClass])).toEqual([
      ['sharpness/reading', 7, 'text', 2],
      ['sharpness/reading', 7, undefined, undefined],
      ['sharpness/reading', 7, undefined, undefined],
    ]);
  });

  it('comes with a layout that draws Minimum Sharpness in its interval, for each prefix', () => {
    const writers = ['train', 'validation'].map((prefix) => tensorBoardWriter(logdir, { prefix }));
    for (const step of [1, 2]) {
      for (const writer of writers) {
        writer.next({ ...reading, step });
      }
    }
    const layouts = readLogdir(logdir, readTexts).filter(({ tag }) => tag === 'custom_scalars__config__');
    expect(layouts.map(({ step, plugin }) => [step, plugin])).toEqual([
      [1, 'custom_scalars'],
      [1, undefined],
    ]);
    const tags = readLogdir(logdir).map(({ tag }) => tag);
    const named = [...String(layouts[1]!.text).matchAll(/(?:train|validation)[_/]\w+(?:\/\w+)?/g)].map(([tag]) => tag);
    expect(named).toEqual(
      ['train', 'validation'].flatMap((prefix) => [
        `${prefix}/minimum`,
        `${prefix}_interval/lower`,
        `${prefix}_interval/upper`,
      ]),
    );
    expect(tags).toEqual(expect.arrayContaining(named));
  });
});

describe('a run that is resumed', () => {
  const stepsOf = (file: string) => [...new Set(readScalars(fs.readFileSync(file)).map(({ step }) => step))];

  it('says at which step it goes on, and so does the first', () => {
    for (const steps of [[10, 20, 30], [20, 30, 40], [5]]) {
      const writer = tensorBoardWriter(logdir);
      for (const step of steps) {
        writer.next({ ...reading, step });
      }
      writer.complete();
    }
    const files = eventFiles(logdir);
    expect(files.map((file) => readStarts(fs.readFileSync(file)))).toEqual([[10], [20], [5]]);
    expect(files.map(stepsOf)).toEqual([[10, 20, 30], [20, 30, 40], [5]]);
  });

  it('has a file that sorts behind those before it, also where the clock was ahead', () => {
    const ahead = Math.floor(Date.now() / 1000) + 3600;
    fs.writeFileSync(join(logdir, `events.out.tfevents.${ahead}.elsewhere.7.0.v2`), '');
    fs.writeFileSync(join(logdir, 'events.out.tfevents.notes'), '');
    const names = ['a', 'b'].map(() => {
      const before = fs.readdirSync(logdir);
      tensorBoardWriter(logdir).complete();
      return fs.readdirSync(logdir).find((name) => !before.includes(name))!;
    });
    expect(names.map((name) => Number(name.split('.')[3]))).toEqual([ahead + 1, ahead + 2]);
  });
});

describe('two writers in one folder', () => {
  const line =
    /^tensorBoardWriter: cannot write to the log folder '.*': another writer of this program draws into the same charts, 'sharpness\/...': give each a folder of its own or a prefix, or end the other by dispose\(\) of its callback$/;

  it('are refused, by whatever path they come, until the first has ended', () => {
    const first = tensorBoardWriter(logdir);
    const link = `${logdir}-link`;
    fs.symlinkSync(logdir, link);
    try {
      for (const folder of [logdir, `${logdir}/`, join(logdir, 'x', '..'), link]) {
        expect(() => tensorBoardWriter(folder)).toThrow(line);
      }
    } finally {
      fs.unlinkSync(link);
    }
    tensorBoardWriter(join(logdir, 'validation')).complete();
    first.complete();
    expect(eventFiles(logdir).filter((file) => !file.endsWith('validation'))).toHaveLength(1);
    tensorBoardWriter(logdir).complete();
  });

  it('share its file with prefixes of their own, until the last has ended', () => {
    const writers = ['train', 'validation'].map((prefix) => tensorBoardWriter(logdir, { prefix }));
    expect(() => tensorBoardWriter(logdir, { prefix: 'train' })).toThrow("'train/...'");
    for (const step of [1, 2, 3]) {
      for (const writer of writers) {
        writer.next({ ...reading, step, minimumSharpness: step });
      }
      writers[0]!.complete();
    }
    expect(fs.closeSync).not.toHaveBeenCalled();
    writers[1]!.complete();
    expect(fs.closeSync).toHaveBeenCalledTimes(1);
    const steps = (tag: string) =>
      readLogdir(logdir)
        .filter((scalar) => scalar.tag === tag)
        .map(({ step }) => step);
    expect([steps('train/minimum'), steps('validation/minimum')]).toEqual([[1], [1, 2, 3]]);
    expect(readLogdir(logdir, readStarts)).toEqual([1]);
  });

  it.skipIf(process.platform !== 'linux')('of two processes are refused, as long as both live', async () => {
    const script = join(logdir, '..', `${basename(logdir)}.cjs`);
    // TensorFlow names its files so too.
    fs.writeFileSync(
      script,
      `const { openSync } = require('node:fs');
      openSync(process.argv[2] + '/events.out.tfevents.1700000000.' + require('node:os').hostname() + '.' + process.pid + '.0.v2', 'a');
      console.log('open');
      setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [script, logdir], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      expect(() => tensorBoardWriter(logdir)).toThrow(
        `tensorBoardWriter: cannot write to the log folder '${logdir}': process ${child.pid} is writing to it: give each program a folder of its own`,
      );
      expect(eventFiles(logdir)).toHaveLength(1);
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      tensorBoardWriter(logdir).complete();
      expect(eventFiles(logdir)).toHaveLength(2);
    } finally {
      child.kill('SIGKILL');
      fs.rmSync(script);
    }
  });
});

describe('a folder that is removed while training', () => {
  it('is made anew, with all that a new file needs, and one line says so', () => {
    const folder = join(logdir, 'runs', 'a');
    const writers = ['train', 'validation'].map((prefix) => tensorBoardWriter(folder, { prefix }));
    const next = (step: number) =>
      writers.forEach((writer) => {
        writer.next({ ...reading, step });
      });
    next(1);
    next(2);
    fs.rmSync(join(logdir, 'runs'), { recursive: true });
    next(3);
    next(4);
    for (const writer of writers) {
      writer.complete();
    }
    const scalars = readLogdir(folder);
    expect([...new Set(scalars.map(({ step }) => step))]).toEqual([3, 4]);
    expect(scalars.filter(({ description }) => description).map(({ step }) => step)).toEqual(Array(2 * 17).fill(3));
    expect(readLogdir(folder, readTexts).map(({ tag }) => tag)).toEqual([
      'train/reading',
      'custom_scalars__config__',
      'validation/reading',
      'custom_scalars__config__',
    ]);
    expect(readLogdir(folder, readStarts)).toEqual([3]);
    expect(warn.mock.calls).toEqual([
      [
        `tensorBoardWriter: the event file in '${folder}' was removed with what it held: a new one is made for later readings`,
      ],
    ]);
  });

  it('costs the readings that come while it cannot be made', () => {
    const folder = join(logdir, 'a');
    const writer = tensorBoardWriter(folder);
    writer.next({ ...reading, step: 1 });
    fs.rmSync(folder, { recursive: true });
    fs.writeFileSync(folder, '');
    writer.next({ ...reading, step: 2 });
    writer.next({ ...reading, step: 3 });
    fs.rmSync(folder);
    writer.next({ ...reading, step: 4 });
    writer.complete();
    expect([...new Set(readLogdir(folder).map(({ step }) => step))]).toEqual([4]);
    expect(warn.mock.calls.map(([text]: unknown[]) => text)).toEqual([
      expect.stringMatching(/was removed/),
      expect.stringMatching(/^tensorBoardWriter: TensorBoard misses readings, writing failed: E/),
    ]);
  });
});

describe('the event file', () => {
  it('lies in a folder that is made for it, under a name TensorBoard knows', () => {
    const nested = join(logdir, 'run 1', 'train');
    tensorBoardWriter(nested);
    expect(fs.readdirSync(nested)).toEqual([
      expect.stringMatching(/^events\.out\.tfevents\.\d{10}\..*\.\d+\.\d+\.v2$/),
    ]);
    expect(readLogdir(nested)).toEqual([]);
  });

  it('is a new one for each writer, also where another copy of the module counts for itself', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      vi.resetModules();
      const second = await import('../../../src/node.js');
      for (let step = 0; step < 22; step++) {
        const writer = (step < 2 ? tensorBoardWriter : second.tensorBoardWriter)(logdir);
        writer.next({ ...reading, step });
        writer.complete();
      }
    } finally {
      vi.useRealTimers();
    }
    const files = eventFiles(logdir);
    expect(files).toHaveLength(22);
    // In the order of their names, in which TensorBoard reads them.
    const steps = files.map((file) => readScalars(fs.readFileSync(file))[0]!.step);
    expect(steps).toEqual(Array.from({ length: 22 }, (_, index) => index));
  });

  it('holds a reading as soon as the observer returns', () => {
    const writer = tensorBoardWriter(logdir);
    for (const each of trainingReadings(5)) {
      writer.next(each);
      expect(readLogdir(logdir).at(-1)!.step).toBe(each.step);
    }
  });

  it('is closed once, by completion or by an error, and takes nothing after that', () => {
    const streams = [from([reading]), throwError(() => new Error('out of memory'))];
    for (const [index, stream] of streams.entries()) {
      vi.mocked(fs.closeSync).mockClear();
      const folder = join(logdir, String(index));
      const writer = tensorBoardWriter(folder);
      stream.subscribe(writer);
      const size = fs.statSync(eventFiles(folder)[0]!).size;
      writer.next(reading);
      writer.complete();
      expect(vi.mocked(fs.closeSync)).toHaveBeenCalledTimes(1);
      expect(fs.statSync(eventFiles(folder)[0]!).size).toBe(size);
    }
    expect(warn.mock.calls).toEqual([['tensorBoardWriter: no more readings, their stream failed: out of memory']]);
  });

  it('takes the readings of several streams until the first completes', () => {
    const writer = tensorBoardWriter(logdir);
    const [first, second] = [new Subject<SharpnessReading>(), new Subject<SharpnessReading>()];
    const both = new Subscription();
    for (const stream of [first, second]) {
      both.add(stream.subscribe(writer));
    }
    first.next({ ...reading, step: 1 });
    second.next({ ...reading, step: 2 });
    first.complete();
    second.next({ ...reading, step: 3 });
    both.unsubscribe();
    expect(new Set(readLogdir(logdir).map(({ step }) => step))).toEqual(new Set([1, 2]));
    expect(warn).not.toHaveBeenCalled();
  });
});

describe('what cannot be written', () => {
  it('is no number: beyond float32 it is infinite, and the rest of the reading stays', () => {
    const parameters = [1e39, -1e39, 1e-60].map((trace) => ({ name: 'w', layer: 'w', trace, standardError: 0 }));
    from([{ ...reading, minimumSharpness: 1e300, standardError: 1e308, parameters }]).subscribe(
      tensorBoardWriter(logdir),
    );
    const values = Object.fromEntries(readLogdir(logdir).map(({ tag, value }) => [tag, value]));
    expect(values).toMatchObject({
      'sharpness/minimum': Infinity,
      'sharpness_interval/lower': 0,
      'sharpness_interval/upper': Infinity,
      'sharpness/trace': Math.fround(reading.trace),
      'sharpness_trace/w': Infinity,
      'sharpness_trace/w_2': -Infinity,
      'sharpness_trace/w_3': 0,
    });
    expect(warn).not.toHaveBeenCalled();
  });

  it('is said in one line where it is no reading, and the next one is written', () => {
    const writer = tensorBoardWriter(logdir);
    const wrong = writer.next as (value: unknown) => void;
    for (const value of [null, undefined, 5, {}, { step: 3 }, { ...reading, step: 1.5 }, { minimumSharpness: 1 }]) {
      expect(() => wrong(value)).not.toThrow();
    }
    writer.next({ ...reading, step: 7 });
    expect([...new Set(readLogdir(logdir).map(({ step }) => step))]).toEqual([7]);
    const lines = warn.mock.calls.map(([text]: unknown[]) => String(text));
    expect(lines.slice(0, 4)).toEqual(
      ['null is', 'undefined is', '5 is', 'what came is'].map(
        (what) => `tensorBoardWriter: TensorBoard misses readings, writing failed: ${what} no reading`,
      ),
    );
    expect(lines).toHaveLength(6);
    expect(lines.join('')).not.toContain('\n');
  });

  it('is said again for another reason, and when it begins again', () => {
    const writer = tensorBoardWriter(logdir);
    const write = vi.mocked(fs.writeSync) as unknown as ReturnType<typeof vi.fn>;
    const fail = (message: string) =>
      write.mockImplementationOnce(() => {
        throw new Error(message);
      });
    for (const [step, message] of ['full', 'full', 'gone', '', 'gone', ''].entries()) {
      if (message) {
        fail(message);
      }
      writer.next({ ...reading, step });
    }
    const lost = 'tensorBoardWriter: TensorBoard misses readings, writing failed: ';
    expect(warn.mock.calls).toEqual([[`${lost}full`], [`${lost}gone`], [`${lost}gone`]]);
  });

  it('is one line when the folder cannot be made', () => {
    const file = join(logdir, 'file');
    fs.writeFileSync(file, '');
    for (const folder of [file, join(file, 'run1')]) {
      expect(() => tensorBoardWriter(folder)).toThrow(
        `tensorBoardWriter: cannot write to the log folder '${folder}': E`,
      );
    }
  });

  it('is one line when the target is none', () => {
    const wrong = tensorBoardWriter as (...args: unknown[]) => unknown;
    for (const target of [undefined, null, 5, {}, { scalar() {} }]) {
      expect(() => wrong(target)).toThrow('tensorBoardWriter: expected a log folder or a tf.node.summaryFileWriter');
    }
    expect(() => wrong('')).toThrow("the log folder is ''");
    for (const prefix of ['', 5]) {
      expect(() => wrong(logdir, { prefix })).toThrow('prefix must name the charts');
    }
    expect(fs.readdirSync(logdir)).toEqual([]);
  });

  it('costs readings, one warning and nothing else, and no broken record stays where the disk has room again', () => {
    const actual = vi.mocked(fs.writeSync).getMockImplementation()!;
    const full = () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    };
    const writer = tensorBoardWriter(logdir);
    const step = (number: number) => writer.next({ ...reading, step: number });
    const write = vi.mocked(fs.writeSync) as unknown as ReturnType<typeof vi.fn>;

    step(1);
    // Part of reading 2 gets through, then the disk is full.
    write.mockImplementationOnce((fd: number, bytes: Uint8Array) => (actual as typeof fs.writeSync)(fd, bytes, 0, 100));
    write.mockImplementationOnce(full);
    step(2);
    write.mockImplementationOnce(full);
    step(3);
    step(4);
    writer.complete();

    expect(new Set(readLogdir(logdir).map((scalar) => scalar.step))).toEqual(new Set([1, 2, 4]));
    expect(warn.mock.calls).toEqual([
      ['tensorBoardWriter: TensorBoard misses readings, writing failed: ENOSPC: no space left on device, write'],
    ]);
  });

  it('does not end a process whose files may grow no further', () => {
    const command = `ulimit -f 8; exec "${process.execPath}" ${[...emitReadings, logdir, '50'].join(' ')}`;
    const child = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
    expect(child.status).toBe(0);
    expect(child.stdout.trim().split('\n')).toHaveLength(50);
    expect(child.stderr.match(/tensorBoardWriter: .*EFBIG/g)).toHaveLength(1);
  });
});

it('loses no reading when the process is killed', async () => {
  const child = spawn(process.execPath, [...emitReadings, logdir, '1000000'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let printed = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    printed += chunk;
    if (printed.split('\n').length > 200) {
      child.kill('SIGKILL');
    }
  }
  expect(await exited).toEqual([null, 'SIGKILL']);
  const last = Number(printed.slice(0, printed.lastIndexOf('\n')).split('\n').at(-1));
  expect(last).toBeGreaterThanOrEqual(200);

  // The kill may have come after a reading was written and before its step was printed.
  const minimum = readLogdir(logdir).filter(({ tag }) => tag === 'sharpness/minimum');
  expect(minimum.slice(0, last).map(({ step, value }) => [step, value])).toEqual(
    Array.from({ length: last }, (_, index) => [index + 1, (index + 1) / 8]),
  );
});

it('keeps memory flat over 10,000 readings', () => {
  const output = execFileSync(process.execPath, ['--expose-gc', ...emitReadings, logdir, '10000', 'memory'], {
    encoding: 'utf8',
  });
  type Sample = { step: number; heapUsed: number; rss: number; ms: number };
  const samples = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample);
  const [first, last] = [samples[0]!, samples.at(-1)!];
  expect(last.step).toBe(10_000);
  console.info(
    `10,000 readings of 17 charts: ${((1000 * last.ms) / last.step).toFixed(0)} us each, heap ` +
      `${(first.heapUsed / 2 ** 20).toFixed(1)} -> ${(last.heapUsed / 2 ** 20).toFixed(1)} MiB, rss ` +
      `${(first.rss / 2 ** 20).toFixed(0)} -> ${(last.rss / 2 ** 20).toFixed(0)} MiB`,
  );
  // 9,000 readings kept as objects would be more than 20 MiB.
  expect(last.heapUsed - first.heapUsed).toBeLessThan(2 ** 19);
  expect(readLogdir(logdir).filter(({ tag }) => tag === 'sharpness/trace')).toHaveLength(10_000);
});

describe('a tf.node.summaryFileWriter', () => {
  it.each([true, false])('makes a file of its own, which purge: %s says nothing of', (purge) => {
    const target = { scalar() {}, flush() {} };
    expect(() => tensorBoardWriter(target, { purge })).toThrow(/^tensorBoardWriter: purge [^\n]*leave purge out$/);
  });

  it('gets every scalar without a description, and is flushed after every reading', () => {
    const calls: unknown[][] = [];
    const writer = tensorBoardWriter({
      scalar: (...args) => void calls.push(args),
      flush: (...args) => void calls.push(['flush', ...args]),
    });
    const [, , third] = trainingReadings(3);
    writer.next(third!);
    expect(calls[0]).toEqual(['sharpness/minimum', third!.minimumSharpness, 180]);
    expect(calls.slice(0, -1).every((call) => call.length === 3 && call[2] === 180)).toBe(true);
    expect(calls).toHaveLength(5 + 4 + 8 + 1);
    expect(calls.at(-1)).toEqual(['flush']);
    writer.complete();
    writer.next(third!);
    expect(calls).toHaveLength(19);
  });

  it('keeps its `this`, and its failures cost one warning', () => {
    class Broken {
      message = 'resource is gone';
      scalar(): void {
        throw new Error(this.message);
      }
      flush(): void {
        throw new Error(this.message);
      }
    }
    from([reading, reading]).subscribe(tensorBoardWriter(new Broken()));
    expect(warn.mock.calls).toEqual([
      ['tensorBoardWriter: TensorBoard misses readings, writing failed: resource is gone'],
    ]);
  });
});

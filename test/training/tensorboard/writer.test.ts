import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { from, merge, Subject, Subscription, throwError } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { tensorBoardWriter } from '../../../src/node.js';
import { property } from '../../../src/training/control/setting.js';
import { steer } from '../../../src/training/control/steer.js';
import { eventFiles, readLogdir, readScalars } from './event-reader.js';
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
    expect(described.map(({ tag }) => tag)).toHaveLength(3 + reading.scales.length + reading.parameters.length);
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
    expect(groups).toEqual(new Set(['validation', 'validation_alpha', 'validation_trace']));
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
      const writers = [tensorBoardWriter(logdir), tensorBoardWriter(logdir)];
      vi.resetModules();
      const second = await import('../../../src/node.js');
      writers.push(...Array.from({ length: 20 }, () => second.tensorBoardWriter(logdir)));
      for (const [index, writer] of writers.entries()) {
        writer.next({ ...reading, step: index });
      }
    } finally {
      vi.useRealTimers();
    }
    const files = eventFiles(logdir);
    expect(files).toHaveLength(22);
    const steps = files.map((file) => readScalars(fs.readFileSync(file))[0]!.step);
    expect(steps.sort((a, b) => a - b)).toEqual(Array.from({ length: 22 }, (_, index) => index));
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
    `10,000 readings of 15 charts: ${((1000 * last.ms) / last.step).toFixed(0)} us each, heap ` +
      `${(first.heapUsed / 2 ** 20).toFixed(1)} -> ${(last.heapUsed / 2 ** 20).toFixed(1)} MiB, rss ` +
      `${(first.rss / 2 ** 20).toFixed(0)} -> ${(last.rss / 2 ** 20).toFixed(0)} MiB`,
  );
  // 9,000 readings kept as objects would be more than 20 MiB.
  expect(last.heapUsed - first.heapUsed).toBeLessThan(2 ** 19);
  expect(readLogdir(logdir).filter(({ tag }) => tag === 'sharpness/trace')).toHaveLength(10_000);
});

describe('a tf.node.summaryFileWriter', () => {
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
    expect(calls).toHaveLength(3 + 4 + 8 + 1);
    expect(calls.at(-1)).toEqual(['flush']);
    writer.complete();
    writer.next(third!);
    expect(calls).toHaveLength(17);
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

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isNative } from '../../src/tfjs/backend.js';
import { defaultMemoryMB } from '../../src/tfjs/device-memory.js';
import { onFakeWebGpu } from './fake-webgpu.js';

it('is that of the machine on tfjs-node, and small in a page', () => {
  expect(defaultMemoryMB()).toBe(isNative() ? 1024 : 256);
});

describe('on WebGPU', () => {
  const fake = onFakeWebGpu();

  it.each([
    [256, 256],
    [2048, 512],
    [4096, 1024],
    [2 ** 20, 1024],
  ])('where the largest buffer has %i MB it is %i MB', (largest, expected) => {
    fake.backend.device.limits.maxBufferSize = largest * 2 ** 20;
    expect(defaultMemoryMB()).toBe(expected);
  });
});

/** tf.js believes that it runs on TensorFlow with a card, and asks a program that prints what a test says. */
describe.skipIf(process.platform === 'win32')('on a card', () => {
  let folder: string;
  let before: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cards-'));
    before = tf.getBackend();
    // The name is that of tfjs-node, which may be what runs: a backend of that name cannot be registered beside it.
    const engine = tf.engine();
    const instance = Object.assign(new tf.KernelBackend(), { isUsingGpuDevice: true, memory: () => ({}) });
    engine.backendName = 'tensorflow';
    vi.spyOn(engine, 'backend', 'get').mockReturnValue(instance);
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
    for (const name of ['CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER', 'TF_FORCE_GPU_ALLOW_GROWTH']) {
      vi.stubEnv(name, undefined);
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    tf.engine().backendName = before;
    rmSync(folder, { recursive: true });
  });

  /** @param holders of the cards' memory. */
  function cardsAre(cards: string, holders = ''): void {
    const program = join(folder, 'nvidia-smi');
    writeFileSync(join(folder, 'cards'), cards);
    writeFileSync(join(folder, 'holders'), holders);
    writeFileSync(
      program,
      `#!/bin/sh\necho x >> ${folder}/asked\ncase "$1" in --query-gpu*) cat ${folder}/cards;; *) cat ${folder}/holders;; esac\n`,
    );
    chmodSync(program, 0o755);
  }
  const asked = () => readFileSync(join(folder, 'asked'), 'utf8').split('\n').length - 1;

  it('is a quarter of what is free, and asked for once', async () => {
    cardsAre('0, GPU-a, 16000, 300, [N/A]\n', 'GPU-a, 1, 200\n');
    expect(await Promise.all([defaultMemoryMB(), defaultMemoryMB()])).toEqual([4000, 4000]);
    expect(await defaultMemoryMB()).toBe(4000);
    expect(asked()).toBe(2);
  });

  it.each([
    ['nothing small', '0, GPU-a, 400, 100, Disabled\n', '', 256],
    ['nothing beyond use', '0, GPU-a, 140000, 1000, Disabled\n', '', 8192],
  ])('is bounded: %s', async (_, cards, holders, expected) => {
    cardsAre(cards, holders);
    expect(await defaultMemoryMB()).toBe(expected);
  });

  it('is what TensorFlow holds beyond its tensors, where it has taken the card at its start', async () => {
    cardsAre('0, GPU-a, 300, 15700, [N/A]\n', `GPU-a, 1, 700\nGPU-a, ${process.pid}, 12000\n`);
    expect(await defaultMemoryMB()).toBe(Math.round((12000 - tf.memory().numBytes / 2 ** 20) / 4));
  });

  it('takes all that is used for that of this process where a container hides who holds it', async () => {
    cardsAre('0, GPU-a, 300, 16000, [N/A]\n');
    expect(await defaultMemoryMB()).toBe(Math.round((16000 - tf.memory().numBytes / 2 ** 20) / 4));
  });

  it('is what is free where TensorFlow takes memory as it needs it', async () => {
    vi.stubEnv('TF_FORCE_GPU_ALLOW_GROWTH', 'true');
    cardsAre('0, GPU-a, 2000, 14000, [N/A]\n');
    expect(await defaultMemoryMB()).toBe(500);
  });

  it.each([
    ['others have taken it', '0, GPU-a, 100, 16000, [N/A]\n', 'GPU-a, 1, 15900\n'],
    ['it is cut into instances', '0, GPU-a, 70000, 10, Enabled\n', ''],
    ['it is not told', '0, GPU-a, [N/A], [N/A], [N/A]\n', ''],
    ['there is no card', '', ''],
  ])('is as on a processor where nothing is known: %s', async (_, cards, holders) => {
    cardsAre(cards, holders);
    expect(await defaultMemoryMB()).toBe(1024);
  });

  it('is as on a processor where the program is not there, or fails', async () => {
    vi.stubEnv('PATH', folder);
    expect(await defaultMemoryMB()).toBe(1024);
  });

  it('is as on a processor where no program may be run', async () => {
    const execFile = () => {
      throw new Error('Access to this API has been restricted');
    };
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ execFile } as never);
    expect(await defaultMemoryMB()).toBe(1024);
  });

  it('is asked for again where nobody answered in time, three times in all', async () => {
    let answers = 0;
    let asked = 0;
    const execFile = (_: string, [query]: string[], __: object, answer: (error: unknown, printed: string) => void) => {
      asked++;
      const error = asked <= answers ? null : Object.assign(new Error('Command failed'), { killed: true });
      answer(error, query!.startsWith('--query-gpu') ? '0, GPU-a, 16000, 300, [N/A]\n' : 'GPU-a, 1, 200\n');
    };
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ execFile } as never);
    for (let i = 0; i < 5; i++) {
      expect(await defaultMemoryMB()).toBe(1024);
    }
    expect(asked).toBe(6);
    vi.spyOn(tf.engine(), 'backend', 'get').mockReturnValue(
      Object.assign(new tf.KernelBackend(), { isUsingGpuDevice: true, memory: () => ({}) }),
    );
    expect(await defaultMemoryMB()).toBe(1024);
    answers = 100;
    expect(await defaultMemoryMB()).toBe(4000);
    expect(await defaultMemoryMB()).toBe(4000);
    expect(asked).toBe(10);
  });

  describe('of several', () => {
    const two = '0, GPU-a, 4000, 10, [N/A]\n1, GPU-b, 8000, 10, [N/A]\n';

    it.each([
      ['the smallest, since numbers need not be those of nvidia-smi', {}, 1000],
      ['the one with that name', { CUDA_VISIBLE_DEVICES: 'GPU-b,GPU-a' }, 2000],
      ['the first in the order of the bus', { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' }, 1000],
      ['the one with that number', { CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: '1,0' }, 2000],
      ['none that is an instance of a card', { CUDA_VISIBLE_DEVICES: 'MIG-c' }, 1024],
    ])('it is %s', async (_, variables, expected) => {
      for (const [name, value] of Object.entries(variables)) {
        vi.stubEnv(name, value);
      }
      cardsAre(two);
      expect(await defaultMemoryMB()).toBe(expected);
    });
  });

  it('needs no module of Node: where there is none it is as on a processor', async () => {
    vi.stubGlobal('process', undefined);
    try {
      expect(await defaultMemoryMB()).toBe(1024);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

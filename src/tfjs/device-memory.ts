import * as tf from '@tensorflow/tfjs-core';
import { isGpu, isNative } from './backend.js';
import { largestBufferBytes } from './webgpu.js';

/** Larger chunks are faster, and the native backend has the machine's memory rather than a browser tab's. */
const NATIVE_MB = 1024;
const PAGE_MB = 256;
/** The part of a card's free memory, or of a WebGPU device's largest buffer, that a measurement takes. */
const SHARE = 1 / 4;
/** Beyond this a reading gains nothing any more: its chunks are few. */
const MOST_CARD_MB = 8192;
/** A page shares its GPU with all that is on the screen. */
const MOST_PAGE_MB = 1024;
/** Longest time in ms for which the card is asked. */
const PATIENCE_MS = 3000;

/** Asked once: what a card has left while a network trains changes little, and chunks of one size give the same digits. */
const known = new WeakMap<object, Promise<number>>();
/** How many times the card did not answer in time. A busy machine may let it answer later; one that hangs is not waited for again. */
const late = new WeakMap<object, number>();
const MOST_LATE = 3;

/**
 * Extra tensor memory that a measurement may take unless it is told, in units of 2^20 bytes.
 *
 * On a card under TensorFlow a quarter of what `nvidia-smi` says is free there or, where TensorFlow has taken the card's memory at
 * its start, of what this process holds beyond its tensors: between 256 and 8192, and 1024 where nothing is known. On WebGPU, which
 * tells no memory, a quarter of the largest buffer that the device makes: between 256 and 1024.
 */
export function defaultMemoryMB(): number | Promise<number> {
  if (isNative()) {
    return isGpu() ? ofCard() : NATIVE_MB;
  }
  const largest = largestBufferBytes();
  return largest === null ? PAGE_MB : shareOf(largest / 2 ** 20, MOST_PAGE_MB);
}

const shareOf = (megabytes: number, most: number) => Math.round(Math.min(most, Math.max(PAGE_MB, megabytes * SHARE)));

function ofCard(): Promise<number> {
  const backend = tf.backend();
  const before = known.get(backend);
  if (before) {
    return before;
  }
  const asked = availableOnCard().then(
    (left) => (left === null ? NATIVE_MB : shareOf(left, MOST_CARD_MB)),
    () => {
      const times = (late.get(backend) ?? 0) + 1;
      late.set(backend, times);
      if (times < MOST_LATE) {
        known.delete(backend);
      }
      return NATIVE_MB;
    },
  );
  known.set(backend, asked);
  return asked;
}

/** Read when it is asked for: bundlers put what it holds at the time of the build in the place of `process.env`. */
const environment = () => globalThis.process.env;

/** What `nvidia-smi` says of a card, in units of 2^20 bytes. */
interface Card {
  readonly index: string;
  readonly uuid: string;
  readonly free: number;
  readonly used: number;
  /** Whether it is cut into instances, whose memory is not told here. */
  readonly isCut: boolean;
}

/** Memory that TensorFlow can still use, in units of 2^20 bytes; null where that is not known. Rejects where nobody answers in time. */
async function availableOnCard(): Promise<number | null> {
  const [cards, holders] = await Promise.all([
    ask('--query-gpu=index,uuid,memory.free,memory.used,mig.mode.current'),
    ask('--query-compute-apps=gpu_uuid,pid,used_memory'),
  ]);
  if (cards.length === 0) {
    return null;
  }
  const visible = visibleCards(
    cards.map(([index, uuid, free, used, mig]) => ({
      index,
      uuid,
      free: Number(free),
      used: Number(used),
      isCut: mig === 'Enabled',
    })),
  );
  const left = visible.map((card) => availableOf(card, holders));
  return left.length === 0 || left.includes(null) ? null : Math.min(...(left as number[]));
}

/**
 * The cards of which TensorFlow computes on one. It takes the first of CUDA_VISIBLE_DEVICES, whose numbers mean what they mean to
 * `nvidia-smi` only in the order of the bus: else it may be any of them.
 */
function visibleCards(cards: readonly Card[]): readonly Card[] {
  const { CUDA_VISIBLE_DEVICES, CUDA_DEVICE_ORDER } = environment();
  const first = CUDA_VISIBLE_DEVICES?.split(',')[0].trim();
  if (first?.startsWith('MIG')) {
    return [];
  }
  if (first?.startsWith('GPU')) {
    return cards.filter(({ uuid }) => uuid.startsWith(first));
  }
  return CUDA_DEVICE_ORDER === 'PCI_BUS_ID' ? cards.filter(({ index }) => index === (first || '0')) : cards;
}

function availableOf({ uuid, free, used, isCut }: Card, holders: readonly string[][]): number | null {
  if (isCut || !Number.isFinite(free)) {
    return null;
  }
  const onCard = holders.filter(([card]) => card === uuid);
  const own = onCard.find(([, pid]) => Number(pid) === globalThis.process.pid);
  const grows = /^(1|true)$/i.test(environment().TF_FORCE_GPU_ALLOW_GROWTH ?? '');
  // Where nobody is listed, a container hides who holds the memory.
  const held = own ? Number(own[2]) || used : onCard.length === 0 && !grows ? used : 0;
  const left = Math.max(free, held - tf.memory().numBytes / 2 ** 20);
  // Nearly all is taken, and nobody says by whom.
  const isTaken = !own && !grows && left < used / 10;
  return Number.isFinite(left) && !isTaken ? left : null;
}

/** A table that `nvidia-smi` prints; empty where it is not there, does not know, or may not be run. Rejects where it takes too long. */
async function ask(query: string): Promise<string[][]> {
  // No import, which a bundler would follow: pages have no such module.
  const childProcess = globalThis.process?.getBuiltinModule?.('node:child_process');
  if (!childProcess) {
    return [];
  }
  const printed = await new Promise<string>((resolve, reject) => {
    try {
      childProcess.execFile(
        'nvidia-smi',
        [query, '--format=csv,noheader,nounits'],
        { timeout: PATIENCE_MS, killSignal: 'SIGKILL', windowsHide: true },
        (error, stdout) => (error?.killed ? reject(error) : resolve(error ? '' : stdout)),
      );
    } catch {
      // A process that may start no others.
      resolve('');
    }
  });
  return printed
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(',').map((cell) => cell.trim()));
}

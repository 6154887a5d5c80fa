import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe } from 'vitest';

const isThere = spawnSync('redis-server', ['--version']).status === 0;
if (!isThere && process.env.CI) {
  throw new Error('tests of the queue need redis-server: apt-get install redis-server');
}
if (!isThere) {
  console.warn('tests of the queue are skipped, redis-server is not there. To run them: apt-get install redis-server');
}

/** Tests that need a Redis server. */
export const describeWithRedis = describe.skipIf(!isThere);

/** A server of the tests' own, on a port of its own, with a file that survives its end. */
export interface RedisServer {
  readonly url: string;
  readonly client: Redis;
  /** Ends it as a machine that goes down does, and starts it again. */
  restart(): Promise<void>;
}

/** Starts one before the tests of a file and ends it behind them. */
export function redisServer(): RedisServer {
  let folder = '';
  let port = 0;
  let server: ChildProcess | undefined;
  let client: Redis | undefined;
  const start = async () => {
    const words = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
    server = spawn('redis-server', [...words, '--appendonly', 'yes', '--appendfsync', 'always'], { stdio: 'ignore' });
    client ??= new Redis(port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on('error', () => {});
    await client.ping();
  };
  const end = async () => {
    const ended = new Promise((resolve) => server!.once('exit', resolve));
    server!.kill('SIGKILL');
    await ended;
  };
  beforeAll(async () => {
    if (isThere) {
      folder = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-redis-'));
      port = await freePort();
      await start();
    }
  });
  afterAll(async () => {
    if (isThere) {
      client!.disconnect();
      await end();
      rmSync(folder, { recursive: true });
    }
  });
  return {
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    get client() {
      return client!;
    },
    async restart() {
      await end();
      await wait(300);
      await start();
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

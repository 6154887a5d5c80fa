import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { reachRedis, shownUrl } from '../../src/farm/redis-server.js';
import { describeWithRedis, redisServer } from './redis-server.js';

test('passwords are not shown, however they are written', () => {
  expect(shownUrl('redis://u:secret@host:1/2')).toBe('redis://host:1/2');
  expect(shownUrl('redis://:se@cret@host')).toBe('redis://host');
  expect(shownUrl('redis://host?password=secret')).toBe('redis://host');
});

const refused = (url: string) => {
  const reaching = reachRedis(url, () => {});
  return expect(reaching).rejects;
};

test.each(['http://:secret@host', 'redis://', 'redis://:se/cret@host', 'secret', 'redis://:secret@host:99999'])(
  '%s is no address, and is not repeated',
  async (url) => {
    await refused(url).toThrow(/^--queue is given no address of a Redis server: redis:\/\/HOST, or/);
    await refused(url).not.toThrow(/secret|cret@/);
  },
);

test('what is behind the server is a number', async () => {
  await refused('redis://:secret@host/zero').toThrow(
    /^--queue redis:\/\/host\/zero: behind the server comes the number/,
  );
});

/** A server that is none of Redis: it says what it is given, or nothing. */
function stranger(answer?: string): { readonly url: string; readonly asked: Promise<void> } {
  let server: Server;
  let port = 0;
  let tell = () => {};
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  beforeAll(
    () =>
      new Promise<void>((done) => {
        server = createServer((socket) => {
          socket.on('error', () => {});
          socket.on('data', () => {
            tell();
            if (answer !== undefined) {
              socket.write(answer);
            }
          });
        }).listen(0, '127.0.0.1', () => {
          ({ port } = server.address() as { port: number });
          done();
        });
      }),
  );
  afterAll(() => {
    server.close();
  });
  return {
    asked,
    get url() {
      return `redis://:secret@127.0.0.1:${port}`;
    },
  };
}

const silent = stranger();
const web = stranger('HTTP/1.1 400 Bad Request\r\n\r\n');

test('a server that says nothing is given up within seconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const told = refused(silent.url).toThrow(
    /^--queue redis:\/\/127\.0\.0\.1:\d+ is no use: it says nothing for 10 s\.$/,
  );
  // It is connected meanwhile, and asked who it is.
  await silent.asked;
  await vi.advanceTimersByTimeAsync(10_000);
  vi.useRealTimers();
  await told;
});

test('servers that are not there, and others than Redis, are told with their reason', async () => {
  await refused('redis://:secret@127.0.0.1:1').toThrow(/^--queue redis:\/\/127\.0\.0\.1:1 is no use: .*ECONNREFUSED/);
  await refused(web.url).toThrow(/^--queue redis:\/\/127.* is no use: Unknown RESP type/);
});

describeWithRedis('a Redis server', () => {
  const redis = redisServer();
  afterEach(async () => {
    vi.unstubAllEnvs();
    await redis.client.config('SET', 'requirepass', '');
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  });

  test('that wants a password lets in with it, which may come by the environment', async () => {
    await redis.client.config('SET', 'requirepass', 'secret');
    const mending = 'redis://:PASSWORD@HOST, or REDISCLI_AUTH=PASSWORD in the environment.';
    await refused(redis.url).toThrow(`--queue ${redis.url} is no use: it wants a password: ${mending}`);
    const wrong = await reachRedis(redis.url.replace('//', '//:wrong@'), () => {}).catch((error: Error) => error);
    expect((wrong as Error).message).toMatch(
      /^--queue redis:\/\/127.* is no use: it knows no such user and password: redis:/,
    );
    expect(JSON.stringify(wrong, Object.getOwnPropertyNames(wrong))).not.toContain('wrong@');
    expect((wrong as Error).cause).toBeUndefined();
    vi.stubEnv('REDISCLI_AUTH', 'secret');
    (await reachRedis(redis.url, () => {})).disconnect();
  });

  test('has not all databases: none is taken in the place of another', async () => {
    await refused(`${redis.url}/99`).toThrow(/\/99 is no use: ERR DB index is out of range\.$/);
    const other = await reachRedis(`${redis.url}/3`, () => {});
    expect(await other.client('INFO')).toMatch(/ db=3 /);
    other.disconnect();
  });

  test('whose clock is another one is told of', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    const said: string[] = [];
    (await reachRedis(redis.url, (line) => said.push(line))).disconnect();
    vi.useRealTimers();
    expect(said).toEqual([expect.stringMatching(/^the clock of this machine is 36\d\d s ahead of that of redis:/)]);
  });

  test('that forgets what it has when its memory is full is told of', async () => {
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const said: string[] = [];
    (await reachRedis(redis.url, (line) => said.push(line))).disconnect();
    expect(said).toEqual([
      `${redis.url} forgets jobs and results when its memory is full: set its maxmemory-policy to noeviction (it is allkeys-lru)`,
    ]);
  });
});

import type * as IORedis from 'ioredis';
import { optionalPackage } from '../files/optional-package.js';
import { lineOf } from '../warnings.js';

/** How long a server may take to let in whoever knocks, in ms. */
const FIRST_ANSWER = 10_000;

/** How long a server may be silent that is asked something, in ms; workers ask for jobs and wait for up to 10 s. */
const LONGEST_SILENCE = 30_000;

/** How far clocks may be from each other without a word, in seconds. */
const FARTHEST_CLOCK = 30;

/** The least that BullMQ works with. */
const OLDEST = 5;

/** The address without user, password and whatever else a person wrote into it: it is shown, and kept in logs. */
export function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/**
 * Looks at an address. What it may hold of a password is not repeated.
 *
 * @throws Error with one line where it is none of a Redis server.
 */
function checkUrl(url: string): void {
  const isWhole = URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol) && new URL(url).hostname !== '';
  if (!isWhole) {
    throw new Error(
      '--queue is given no address of a Redis server: redis://HOST, or redis://:PASSWORD@HOST:PORT, with %2F for / in a password.',
    );
  }
  if (!/^\/?\d*$/.test(new URL(url).pathname)) {
    throw new Error(`--queue ${shownUrl(url)}: behind the server comes the number of a database, redis://HOST/1.`);
  }
}

/**
 * Reaches a Redis server, within seconds.
 *
 * @param url redis://HOST:PORT/DATABASE, or rediss:// with TLS. A password that it has not is that of the environment, REDISCLI_AUTH, as
 * redis-cli has it: what is written on a command line all users of a machine can read.
 * @param say is told when the connection is lost and found again, and what of the server's settings loses jobs.
 * @throws Error with one line where the server does not answer, or does not let in. No line has the password.
 */
export async function reachRedis(url: string, say: (line: string) => void): Promise<IORedis.Redis> {
  checkUrl(url);
  const { Redis } = await optionalPackage<typeof IORedis>('ioredis', '--queue', 'bullmq ioredis');
  const password = new URL(url).password === '' ? process.env.REDISCLI_AUTH : undefined;
  const redis = new Redis(url, {
    ...(password && { password }),
    lazyConnect: true,
    // Commands wait for a server that restarts, however long it takes: given up after 20 tries, a worker would stand still for ever
    // (OptimalBits/bull#1972), and BullMQ takes no other connection for workers.
    maxRetriesPerRequest: null,
    connectTimeout: FIRST_ANSWER,
    // One that says nothing, since the network to it is cut, is given up and tried again: TCP waits for a quarter of an hour.
    socketTimeout: LONGEST_SILENCE,
    retryStrategy: (tries) => Math.min(200 * tries, 2000),
  });
  const reasons: Error[] = [];
  const keepReason = (error: Error) => reasons.push(error);
  // Without a listener, a lost connection would end the process.
  redis.on('error', () => {});
  redis.on('error', keepReason);
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it says nothing for ${FIRST_ANSWER / 1000} s`)), FIRST_ANSWER);
    });
    const [info, time] = await Promise.race([
      redis.connect().then(() => Promise.all([redis.info(), redis.time()])),
      late,
    ]);
    if (reasons.length > 0) {
      // ioredis goes on in database 0 where it may not have another.
      throw reasons[0];
    }
    checkSettings(url, info, say);
    checkClock(url, Number(time[0]), say);
  } catch (error) {
    redis.disconnect();
    throw refusal(url, reasons[0] ?? error);
  } finally {
    clearTimeout(timer);
    redis.off('error', keepReason);
  }
  tellOfLosses(redis, url, say);
  return redis;
}

/** @throws Error with one line for a server that is too old. */
function checkSettings(url: string, info: string, say: (line: string) => void): void {
  const settingOf = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
  const version = settingOf('redis_version');
  if (version !== undefined && Number.parseInt(version, 10) < OLDEST) {
    throw new Error(`it is Redis ${version}, and the queue needs ${OLDEST} or later`);
  }
  const policy = settingOf('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    say(
      `${shownUrl(url)} forgets jobs and results when its memory is full: set its maxmemory-policy to noeviction (it is ${policy})`,
    );
  }
}

/** When a job that failed is tried again is told by the clocks of those who failed and who look. */
function checkClock(url: string, seconds: number, say: (line: string) => void): void {
  const ahead = Math.round(Date.now() / 1000 - seconds);
  if (Math.abs(ahead) >= FARTHEST_CLOCK) {
    const off = `${Math.abs(ahead)} s ${ahead > 0 ? 'ahead of' : 'behind'}`;
    say(
      `the clock of this machine is ${off} that of ${shownUrl(url)}: what failed is tried again so much too early or late`,
    );
  }
}

function refusal(url: string, error: unknown): Error {
  const at = `--queue ${shownUrl(url)} is no use`;
  const line = lineOf(error) || String((error as { code?: string }).code);
  // Without the error itself, to which ioredis adds the password that was refused.
  if (/^NOAUTH|^WRONGPASS/.test(line)) {
    const reason = line.startsWith('NOAUTH') ? 'it wants a password' : 'it knows no such user and password';
    return new Error(`${at}: ${reason}: redis://:PASSWORD@HOST, or REDISCLI_AUTH=PASSWORD in the environment.`);
  }
  return /EPIPE|ECONNRESET|Connection is closed/.test(line)
    ? new Error(
        `${at}: it ends the connection, as one without a password does to other machines: give it one, --requirepass.`,
      )
    : new Error(`${at}: ${line.replace(/\.+$/, '')}.`);
}

function tellOfLosses(redis: IORedis.Redis, url: string, say: (line: string) => void): void {
  let isLost = false;
  redis.on('close', () => {
    if (!isLost) {
      isLost = true;
      say(`the connection to ${shownUrl(url)} is lost, and tried again`);
    }
  });
  redis.on('ready', () => {
    if (isLost) {
      isLost = false;
      say(`${shownUrl(url)} is there again`);
    }
  });
}

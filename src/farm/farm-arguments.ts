import { type Command, InvalidArgumentError } from 'commander';
import { type Complain, complainOf, signals, WRONG_INPUT } from '../files/failure.js';
import type { MeasureCommandOptions } from '../files/measure-command.js';
import { append } from '../files/measuring-arguments.js';
import type { OtherPlace } from '../files/measuring-run.js';
import { lineOf } from '../warnings.js';
import type { PlanOptions } from './plan.js';

/** Of --priority, where 1 comes first. */
const DEFAULT_PRIORITY = 100;

const wholeNumber = (text: string): number => {
  if (!/^\d+$/.test(text) || Number(text) < 1) {
    throw new InvalidArgumentError('it is not a whole number from 1');
  }
  return Number(text);
};

interface PlaceOptions {
  readonly workers?: number;
  readonly shards?: number;
  readonly queue?: string;
  readonly priority?: number;
}

/** Gives `measure` its options for several processes and machines, and what it does. */
export function measureElsewhereArguments(command: Command, complain: Complain): void {
  command
    .option('--workers <n>', 'measure in so many processes: --workers 2', wholeNumber)
    .option(
      '--queue <url>',
      'measure by the workers of a queue in Redis (its password: REDISCLI_AUTH): --queue redis://farm.local',
    )
    .option('--shards <n>', 'with either: in so many parts of the data each (default 1): --shards 5', wholeNumber)
    .option('--priority <n>', `with --queue: 1 comes first (default ${DEFAULT_PRIORITY}): --priority 1`, wholeNumber)
    .action(async (models: string[], options: MeasureCommandOptions & PlaceOptions) => {
      const { measureCommand } = await import('../files/measure-command.js');
      let place: OtherPlace | undefined;
      try {
        place = await placeOf(options);
      } catch (error) {
        complain(lineOf(error), WRONG_INPUT);
        return;
      }
      await measureCommand(models, options, complain, place);
    });
}

/** @throws Error with one line for options that do not go together. */
async function placeOf({ workers, shards, queue, priority }: PlaceOptions): Promise<OtherPlace | undefined> {
  if (queue !== undefined) {
    if (workers !== undefined) {
      throw new Error('--workers are processes of this machine, --queue asks those of others: leave either out.');
    }
    const { measureOnQueue } = await import('./measure-on-queue.js');
    let isQueued = false;
    const onSubmitted = () => {
      isQueued = true;
    };
    const place = { url: queue, shards: shards ?? 1, priority: priority ?? DEFAULT_PRIORITY, say, onSubmitted };
    return {
      measure: (models, options, events) => measureOnQueue(models, options as PlanOptions, place, events),
      onStop: () =>
        isQueued
          ? 'what is not measured yet stays in the queue, where workers go on with it: the same command again picks it up.'
          : 'not all that is to be measured is in the queue yet: the same command again puts it there.',
    };
  }
  if (priority !== undefined) {
    throw new Error('--priority is for --queue: leave it out.');
  }
  if (workers === undefined && shards === undefined) {
    return undefined;
  }
  const { measureOnPool } = await import('./measure-on-pool.js');
  const place = { workers: workers ?? 1, shards: shards ?? 1 };
  return { measure: (models, options, events) => measureOnPool(models, options as PlanOptions, place, events) };
}

const say = (line: string) => console.error(`tfjs-sharpness: ${line}`);

/** `npx tfjs-sharpness worker`. */
export function workerArguments(command: Command, complain: Complain): void {
  command
    .description(
      `Takes jobs from a queue in Redis, where measure --queue puts them, until Ctrl-C, which lets it end with those that it has; a second one
ends it at once, and others take them over. It reads models and data by the same paths or URLs as the command that asked.
Needs bullmq and ioredis: npm install bullmq ioredis`,
    )
    .requiredOption('--queue <url>', 'a Redis server (its password: REDISCLI_AUTH): --queue redis://farm.local')
    .option(
      '--concurrency <n>',
      'so many jobs at once, each in a process of its own (default 1): --concurrency 4',
      wholeNumber,
    )
    .option(
      '--lost-after <seconds>',
      'when jobs of a worker that is not heard of are taken over (default 60): --lost-after 60',
      wholeNumber,
    )
    .option(
      '--longest <minutes>',
      'when a job is ended, and set aside, that does not end by itself (default 1440, a day): --longest 60',
      wholeNumber,
    )
    .option(
      '--require <module>',
      'layers of your own: takes jobs of measure with the same --require in the same order, and no others: --require ./layers.mjs',
      append,
    )
    .allowExcessArguments(false)
    .action(
      async ({
        queue,
        concurrency = 1,
        lostAfter = 60,
        longest = 1440,
        require = [],
      }: {
        queue: string;
        concurrency?: number;
        lostAfter?: number;
        longest?: number;
        require?: readonly string[];
      }) => {
        const { startWorker } = await import('./worker.js');
        try {
          const worker = await startWorker(queue, { concurrency, lostAfter, longest, require, say });
          let isLast = false;
          for (const name of signals) {
            process.on(name, () => {
              if (!isLast) {
                say('it takes no more jobs, and ends with those that it has; again to end at once');
              }
              worker.close(isLast).then(() => {
                process.removeAllListeners(name);
                process.kill(process.pid, name);
              });
              isLast = true;
            });
          }
          // Whoever reads it may send a signal at once.
          say(worker.greeting);
        } catch (error) {
          complainOf(error, complain);
        }
      },
    );
}

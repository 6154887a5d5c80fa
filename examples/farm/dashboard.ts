/*
 * A page that shows the queues of a farm, with what was set aside and why, and the metrics of its workers for Prometheus:
 *
 *     npm run dashboard -- redis://127.0.0.1:6379
 *
 * A password is better in the environment, REDISCLI_AUTH=PASSWORD, than in the address.
 *
 * http://localhost:3000 is the page, http://localhost:3000/metrics the numbers. Whoever reaches them may delete jobs: keep the port inside.
 */
import { readFileSync } from 'node:fs';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Queue } from 'bullmq';
import express from 'express';
import { Redis } from 'ioredis';

const url = process.argv[2] ?? 'redis://127.0.0.1:6379';
const port = Number(process.env.PORT ?? 3000);
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

const password = new URL(url).password === '' ? process.env.REDISCLI_AUTH : undefined;
const connection = new Redis(url, { maxRetriesPerRequest: null, ...(password && { password }) });
// A queue for each version of tfjs-sharpness, and for each version of layers of one's own: those that are there at the start.
const names = new Set([version]);
for await (const keys of connection.scanStream({ match: 'tfjs-sharpness:*:meta', count: 1000 })) {
  for (const key of keys as string[]) {
    names.add(key.split(':')[1]!);
  }
}
const queues = [...names].sort().map((name) => new Queue(name, { connection, prefix: 'tfjs-sharpness' }));
const pages = new ExpressAdapter();
createBullBoard({
  queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: false })),
  serverAdapter: pages,
});

express()
  .get('/metrics', async (_, response) => {
    // One group of lines for each metric, whatever queues it is of.
    const metrics = new Map<string, Set<string>>();
    for (const queue of queues) {
      for (const line of (await queue.exportPrometheusMetrics()).split('\n').filter((each) => each !== '')) {
        const name = line.startsWith('# ') ? line.split(' ')[2]! : line.split('{')[0]!;
        metrics.set(name, (metrics.get(name) ?? new Set()).add(line));
      }
    }
    response.type('text/plain').send([...metrics.values()].flatMap((lines) => [...lines, '']).join('\n'));
  })
  .use('/', pages.getRouter())
  .listen(port, () => console.log(`http://localhost:${port} shows ${[...names].join(', ')} at ${new URL(url).host}`));

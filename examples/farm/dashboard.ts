/*
 * A page that shows the queue of a farm, with what was set aside and why, and the metrics of its workers for Prometheus:
 *
 *     npm run dashboard -- redis://127.0.0.1:6379
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

const connection = new Redis(url, { maxRetriesPerRequest: null });
// A queue for each version of tfjs-sharpness.
const queue = new Queue(version, { connection, prefix: 'tfjs-sharpness' });
const pages = new ExpressAdapter();
createBullBoard({ queues: [new BullMQAdapter(queue, { readOnlyMode: false })], serverAdapter: pages });

express()
  .get('/metrics', async (_, response) => {
    response.type('text/plain').send(await queue.exportPrometheusMetrics());
  })
  .use('/', pages.getRouter())
  .listen(port, () => console.log(`http://localhost:${port} shows the queue of tfjs-sharpness ${version} at ${url}`));

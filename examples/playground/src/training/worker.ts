import type { Command } from './messages.js';
import { trainingSession } from './session.js';

const take = trainingSession((message) => postMessage(message));
self.onmessage = ({ data }: MessageEvent<Command>) => take(data);

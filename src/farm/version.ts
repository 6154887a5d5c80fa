import { createRequire } from 'node:module';

/** Of this package: what another one measures is not put together with what this one does. */
export const VERSION: string = createRequire(import.meta.url)('../../package.json').version;

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** `npm run playground` serves it, `npm run playground:build` writes static files to `dist/`. */
export default defineConfig({
  root: here('.'),
  // Addresses relative to the page: it opens from any folder of a server.
  base: './',
  resolve: {
    // The package itself, from its sources.
    alias: [{ find: /^tfjs-sharpness(\/(\w+))?$/, replacement: here('../../src$1') }],
  },
  worker: { format: 'es' },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, chunkSizeWarningLimit: 1500 },
  server: { fs: { allow: [here('../..')] } },
});

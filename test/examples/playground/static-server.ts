import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

export interface StaticServer {
  readonly address: string;
  /** While it is `false`, the server is out of reach. */
  isThere: boolean;
  close(): void;
}

/** Serves the files of `folder` below `/some/folder/`, as any server would: no headers but their types, and those given. */
export async function staticServer(folder: string, headers: Record<string, string> = {}): Promise<StaticServer> {
  const made = { address: '', isThere: true, close: () => void server.close() };
  const server = createServer((request, response) => {
    if (!made.isThere) {
      request.socket.destroy();
      return;
    }
    const { pathname } = new URL(request.url!, 'http://localhost');
    const file = join(folder, pathname.replace(/^\/some\/folder/, '').replace(/\/$/, '/index.html'));
    if (!pathname.startsWith('/some/folder/') || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...headers, 'content-type': types[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  made.address = `http://localhost:${port}/some/folder/`;
  return made;
}

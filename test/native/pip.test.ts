import { spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { pipDownload, pipFailure } from '../../src/native/pip.js';
import { wheels } from '../../src/native/wheel.js';
import { ownFolder } from './own-folder.js';

const wheel = wheels['@tensorflow/tfjs-node'];
const { folder } = ownFolder();
const unreachable = (cause: string) =>
  `the package index cannot be reached (${cause}): check the network, HTTPS_PROXY, and the index that pip is set to (pip config list)`;
const nothing = `ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==2.21.0 (from versions: none)
ERROR: No matching distribution found for tensorflow-cpu==2.21.0`;
const skipping = (reason: string) => `Could not fetch URL https://a.b/simple/x/: ${reason} - skipping\n${nothing}`;

describe('one line for what pip says', () => {
  test.each([
    [
      'no network',
      skipping(
        "connection error: HTTPSConnectionPool(host='a.b', port=443): Max retries exceeded with url: /simple/x/ (Caused by NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f5d197c5950>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution'))",
      ),
      unreachable('Temporary failure in name resolution'),
    ],
    [
      'a proxy that wants a password',
      skipping(
        "connection error: HTTPSConnectionPool(host='a.b', port=443): Max retries exceeded with url: /simple/x/ (Caused by ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication Required')))",
      ),
      unreachable('Tunnel connection failed: 407 Proxy Authentication Required'),
    ],
    [
      'a certificate that nobody knows',
      skipping(
        "There was a problem confirming the ssl certificate: HTTPSConnectionPool(host='a.b', port=443): Max retries exceeded with url: /simple/x/ (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self signed certificate in certificate chain (_ssl.c:1129)')))",
      ),
      unreachable('certificate verify failed: self signed certificate in certificate chain'),
    ],
    [
      'a file whose server is silent',
      "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='files.a.b', port=443): Read timed out.",
      unreachable('timed out'),
    ],
    [
      'a full disk',
      'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device',
      'no disk space left',
    ],
    [
      'what nobody has foreseen',
      'noise\nERROR: Could not find an activated virtualenv (required).\n',
      'Could not find an activated virtualenv (required).',
    ],
    ['nothing', '', 'pip ended with exit code 1'],
  ])('%s', (_, output, line) => {
    expect(pipFailure(output, 1, wheel)).toBe(line);
  });
});

/** A package index on this machine, as pip sees it at `/<what is the matter>/`. */
describe.skipIf(spawnSync('python3', ['-m', 'pip', '--version']).status !== 0)('pip itself, of an index', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });
  const link = (file: string) => `<html><a href="/files/${file}">${file}</a></html>`;

  async function failure(status: number, page: string, file = ''): Promise<string> {
    server = createServer(({ url }, response) => {
      if (url?.startsWith('/files/')) {
        response.writeHead(200, { 'content-length': file.length + 1000 });
        response.write(file);
        setTimeout(() => response.destroy(), 100);
      } else {
        response.writeHead(status, { 'content-type': 'text/html' });
        response.end(page);
      }
    });
    await new Promise<void>((done) => server!.listen(0, '127.0.0.1', done));
    vi.stubEnv('PIP_INDEX_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return pip();
  }

  async function pip(): Promise<string> {
    vi.stubEnv('PIP_CONFIG_FILE', '/dev/null');
    vi.stubEnv('PIP_RETRIES', '0');
    vi.stubEnv('no_proxy', '127.0.0.1');
    return pipDownload(wheel, 'python3', folder()).then(
      () => 'nothing failed',
      (error: Error) => error.message.replace('download failed: ', ''),
    );
  }

  test('that is not there', async () => {
    // Nobody listens on the discard port.
    vi.stubEnv('PIP_INDEX_URL', 'http://127.0.0.1:9');
    expect(await pip()).toBe(unreachable('Connection refused'));
  });

  test('that refuses', async () => {
    expect(await failure(403, '')).toBe(unreachable('Forbidden'));
  });

  test('that has other versions', async () => {
    expect(await failure(200, link(wheel.file.replace('2.21', '2.20')))).toBe(
      'the package index has no tensorflow-cpu 2.21.0 for Python 3.11 on manylinux_2_27_x86_64, only 2.20.0: is it a mirror, or a network that asks to log in? (pip config list)',
    );
  });

  test('that is a page to log in at', async () => {
    expect(await failure(200, '<html><form>log in</form></html>')).toBe(
      'the package index has no tensorflow-cpu 2.21.0 for Python 3.11 on manylinux_2_27_x86_64: is it a mirror, or a network that asks to log in? (pip config list)',
    );
  });

  test('whose file does not come whole', async () => {
    // Old ones take the part for the file, and miss its hash; new ones say that it is incomplete.
    expect(await failure(200, link(wheel.file), 'half of it')).toMatch(/connection was cut|cannot be reached/);
  });
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runDependent } from './dependent-process.js';
import { saysDiskIsFull } from './disk.js';
import type { Wheel } from './wheel.js';

/** What lies at the bottom of pip's lines about the network, most telling first. */
const causes = [
  /\d{3} (?:Client|Server) Error: (?<cause>.*?) for url/,
  /\[Errno -?\d+\] (?<cause>[^'")\n]+)/,
  /(?<cause>Tunnel connection failed: [^'")\n]+)/,
  /\[SSL: \w+\] (?<cause>[^('"\n]+)/,
  /(?<cause>too many \d+ error responses)/,
  /(?<cause>timed out)/,
  /(?<cause>connection (?:aborted|reset|broken))/i,
];

/**
 * Why pip did not download the wheel, in one line. pip itself says "No matching distribution found" of a version that the index does
 * not have, of an index that it cannot reach ([pypa/pip#3642](https://github.com/pypa/pip/issues/3642)) and of a page to log in at.
 * @param output what pip wrote with `-vv`: with less it is silent on why it skips an index
 */
export function pipFailure(output: string, code: number | null, wheel: Wheel): string {
  if (saysDiskIsFull(output)) {
    return 'no disk space left';
  }
  if (output.includes('DO NOT MATCH THE HASHES')) {
    return `what came of ${wheel.file} does not have the expected sha256: the connection was cut, or the package index has another file under that name`;
  }
  const [, versions] = output.match(/\(from versions: ?(.*?)\)/) ?? [];
  const trouble = output.match(
    /Could not fetch URL .* - skipping|Max retries exceeded.*|.*(?:timed out|IncompleteRead|incomplete-download|Connection (?:aborted|reset)).*/i,
  );
  if (trouble && (versions === undefined || versions === 'none')) {
    const cause = causes.map((pattern) => trouble[0].match(pattern)?.groups?.cause?.trim()).find((found) => !!found);
    return `the package index cannot be reached${cause ? ` (${cause})` : ''}: check the network, HTTPS_PROXY, and the index that pip is set to (pip config list)`;
  }
  if (versions !== undefined) {
    const newest = versions === 'none' ? '' : `, only ${versions.split(', ').slice(-3).join(', ')}`;
    return `the package index has no ${wheel.project} ${wheel.version} for Python ${wheel.python} on ${wheel.platform}${newest}: is it a mirror, or a network that asks to log in? (pip config list)`;
  }
  const lines = output.trim().split('\n');
  const error = lines
    .filter((line) => line.startsWith('ERROR:'))
    .at(-1)
    ?.slice(7);
  return error ?? (lines.at(-1) || `pip ended with exit code ${code}`);
}

/**
 * Downloads a wheel into an empty folder by pip, which knows the user's index, proxy and certificates. The folder holds pip's temporary
 * files too.
 * @throws Error with one line when pip cannot fetch it; what `signal` was aborted with, once pip has ended
 */
export async function pipDownload(wheel: Wheel, python: string, folder: string, signal?: AbortSignal): Promise<void> {
  const requirements = join(folder, 'requirements.txt');
  writeFileSync(requirements, `${wheel.project}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
  const options = ['--no-deps', '--no-cache-dir', '--no-input', '--disable-pip-version-check', '--progress-bar=off'];
  const target = ['--only-binary=:all:', `--python-version=${wheel.python}`, '--implementation=cp'];
  const abi = [`--abi=cp${wheel.python.replace('.', '')}`, `--platform=${wheel.platform}`, '--require-hashes'];
  const files = [`--dest=${folder}`, `--requirement=${requirements}`];
  let output = '';
  const { code } = await runDependent(
    python,
    [python, '-m', 'pip', 'download', '-vv', ...options, ...target, ...abi, ...files],
    {
      // -m looks in the working folder first: a random.py in the user's is not Python's own.
      cwd: folder,
      env: { ...process.env, TMPDIR: folder, PYTHONSAFEPATH: '1' },
      onOutput: (chunk) => {
        output += chunk;
      },
      signal,
    },
  );
  if (code !== 0) {
    throw new Error(`download failed: ${pipFailure(output, code, wheel)}`);
  }
}

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The CUDA libraries that TensorFlow 2.21 opens when it looks for a GPU, and the PyPI wheel each comes in (the wheel
 * `tensorflow` names them, with these versions, in its extra `and-cuda`).
 */
const libraries = {
  'libcudart.so.12': 'nvidia-cuda-runtime-cu12>=12.5.82,<13',
  'libcublas.so.12': 'nvidia-cublas-cu12>=12.5.3.2,<13',
  'libcublasLt.so.12': 'nvidia-cublas-cu12>=12.5.3.2,<13',
  'libcudnn.so.9': 'nvidia-cudnn-cu12>=9.3.0.75,<10',
  'libcufft.so.11': 'nvidia-cufft-cu12>=11.2.3.61,<12',
  'libcupti.so.12': 'nvidia-cuda-cupti-cu12>=12.5.82,<13',
  'libcusolver.so.11': 'nvidia-cusolver-cu12>=11.6.3.83,<12',
  'libcusparse.so.12': 'nvidia-cusparse-cu12>=12.5.1.3,<13',
  'libnccl.so.2': 'nvidia-nccl-cu12>=2.27.7,<3',
  'libnvJitLink.so.12': 'nvidia-nvjitlink-cu12>=12.5.82,<13',
};

/** The folders of `deps/nvidia/<library>/lib`, where the C library looks first: its run path says `$ORIGIN/../nvidia/...`. */
function wheelFolders(directory: string): string[] {
  const nvidia = join(directory, 'deps', 'nvidia');
  return existsSync(nvidia) ? readdirSync(nvidia).map((name) => join(nvidia, name, 'lib')) : [];
}

/** Lines that say whether a GPU is used and, where none is, what is missing for it. */
export function cudaReport(directory: string, gpu: boolean): string[] {
  if (gpu) {
    return ['a GPU was found and is used'];
  }
  // Debian leaves the folder of ldconfig out of the PATH of ordinary users.
  const env = { ...process.env, PATH: [process.env.PATH, '/sbin', '/usr/sbin'].filter(Boolean).join(delimiter) };
  const { status, stdout } = spawnSync('ldconfig', ['-p'], { encoding: 'utf8', env });
  const known = stdout ?? '';
  const folders = [...wheelFolders(directory), ...(process.env.LD_LIBRARY_PATH ?? '').split(delimiter).filter(Boolean)];
  const found = (name: string) =>
    known.includes(`\t${name} `) || folders.some((folder) => existsSync(join(folder, name)));
  const missing = Object.entries(libraries).filter(([name]) => !found(name));
  const lines = ['no GPU was found: it will compute on the CPU'];
  if (status !== 0) {
    lines.push(
      'cannot tell which libraries the system has, since ldconfig -p does not run: some of these may be there',
    );
  }
  if (!found('libcuda.so.1')) {
    lines.push('missing: libcuda.so.1, which comes with the NVIDIA driver');
  }
  if (missing.length > 0) {
    const projects = [...new Set(missing.map(([, project]) => `'${project}'`))];
    lines.push(
      `missing CUDA libraries: ${missing.map(([name]) => name).join(' ')}`,
      `install CUDA 12 and cuDNN 9, or: python3 -m pip install --no-deps --target ${join(directory, 'deps')} ${projects.join(' ')}`,
    );
  }
  return lines;
}

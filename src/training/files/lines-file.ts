import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** A text file that grows by whole lines, in UTF-8, of this process and perhaps of others. It is open only while something is written. */
export interface LinesFile {
  /**
   * Looks whether the file is as it was left. Where it is not, since it was never seen, was removed or was written by somebody else, it
   * is made where it is missing, and a last line without a line break gets one. If it is seen for the first time, and that line was cut
   * off, the line is taken away instead.
   *
   * @returns undefined where it is as it was left, else its first line, '' where it has none.
   * @throws what `check`, `mkdirSync`, `openSync` and `readSync` throw.
   */
  firstLineIfChanged(): string | undefined;
  /**
   * Appends text that ends with a line break, and hands it to the operating system before it returns: it survives a process that is
   * killed. What is written in part only, for example on a full disk, is taken away again, unless others have written behind it.
   *
   * @throws what `openSync` and `writeSync` throw.
   */
  append(text: string): void;
  /**
   * Puts other text into its place, all at once, unless it is no longer as it was left: another process may have written what the text
   * does not have.
   *
   * @returns whether it has.
   * @throws what `writeFileSync` and `renameSync` throw.
   */
  replace(text: string): boolean;
}

/** What is special about the lines of a file. */
export interface LinesKind {
  /**
   * Looks at the first line, where there is one, before anything is changed: a file that somebody else wrote must not be touched.
   *
   * @param ends whether a line break follows.
   * @throws Error with one line where it is no line of such a file.
   */
  check(first: string, ends: boolean): void;
  /** Whether a last line without a line break is whole: then just that is missing. Else the line is taken away. */
  isWhole(last: string): boolean;
  /** Told what was taken away. */
  onCut(last: string): void;
  /** Told that the file which was written to is gone, is another one or has lost lines. */
  onReplaced(): void;
}

/** Nothing, or what a machine that went down leaves where data were to come. */
export function isBlank(line: string): boolean {
  return /^[\s\0]*$/.test(line);
}

const BLOCK = 2 ** 16;
const NEWLINE = 10;

/** The file is not looked at before the first call. */
export function linesFile(path: string, kind: LinesKind): LinesFile {
  /** As it was left. */
  let left: { readonly inode: number; readonly size: number } | undefined;

  function isAsLeft(): boolean {
    const now = statSync(path, { throwIfNoEntry: false });
    // A new file may have got the number of the old one.
    if (left !== undefined && (now === undefined || now.ino !== left.inode || now.size < left.size)) {
      left = undefined;
      kind.onReplaced();
    }
    return left !== undefined && now?.size === left.size;
  }

  return {
    firstLineIfChanged() {
      if (isAsLeft()) {
        return undefined;
      }
      mkdirSync(dirname(path), { recursive: true });
      return withDescriptor(path, 'a+', (descriptor) => {
        const first = lineFrom(descriptor);
        if (!isBlank(first.text)) {
          kind.check(first.text, first.ends);
        }
        const last = lastLineOf(descriptor);
        // What has come since the file was left is another process's, which may be in the middle of its line.
        const isWhole = left !== undefined || kind.isWhole(last.text);
        if (last.text !== '' && isWhole) {
          writeSync(descriptor, '\n');
        } else if (last.text !== '') {
          // By its path: Windows truncates nothing that is open for appending.
          truncateSync(path, last.begin);
          kind.onCut(last.text);
        }
        const { ino, size } = fstatSync(descriptor);
        left = { inode: ino, size };
        // After the mending: of a file of one line that was cut off, nothing is left.
        return lineFrom(descriptor).text;
      });
    },
    append(text) {
      withDescriptor(path, 'a', (descriptor) => {
        const { ino, size } = fstatSync(descriptor);
        const bytes = Buffer.from(text);
        let written = 0;
        try {
          while (written < bytes.length) {
            written += writeSync(descriptor, bytes, written);
          }
        } catch (error) {
          // Unless another process has written lines behind it.
          if (fstatSync(descriptor).size === size + written) {
            truncateSync(path, size);
          }
          throw error;
        }
        left = { inode: ino, size: size + bytes.length };
      });
    },
    replace(text) {
      // Of a link, the file that it names.
      const file = realpathSync(path);
      const beside = `${file}.${randomUUID()}.new`;
      try {
        writeFileSync(beside, text, { flag: 'wx', flush: true });
        const now = statSync(file);
        if (now.ino !== left?.inode || now.size !== left.size) {
          rmSync(beside);
          return false;
        }
        renameSync(beside, file);
      } catch (error) {
        rmSync(beside, { force: true });
        throw error;
      }
      const { ino, size } = statSync(path);
      left = { inode: ino, size };
      return true;
    },
  };
}

function withDescriptor<T>(path: string, flags: string, action: (descriptor: number) => T): T {
  const descriptor = openSync(path, flags);
  try {
    return action(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The first line of a file, and whether a line break follows. */
function lineFrom(descriptor: number): { text: string; ends: boolean } {
  const blocks: Buffer[] = [];
  for (let at = 0; ; at += BLOCK) {
    const block = Buffer.alloc(BLOCK);
    const length = readSync(descriptor, block, 0, BLOCK, at);
    const end = block.subarray(0, length).indexOf(NEWLINE);
    blocks.push(block.subarray(0, end < 0 ? length : end));
    if (end >= 0 || length < BLOCK) {
      return { text: Buffer.concat(blocks).toString(), ends: end >= 0 };
    }
  }
}

/** The last line of a file where it has no line break, else '', and where it begins. Read again where another process wrote meanwhile. */
function lastLineOf(descriptor: number): { text: string; begin: number } {
  for (;;) {
    const { size } = fstatSync(descriptor);
    let begin = size;
    let last = Buffer.alloc(0);
    for (let end = -1; end < 0 && begin > 0; ) {
      const length = Math.min(BLOCK, begin);
      begin -= length;
      const block = Buffer.alloc(length);
      readSync(descriptor, block, 0, length, begin);
      end = block.lastIndexOf(NEWLINE);
      last = Buffer.concat([block.subarray(end + 1), last]);
    }
    if (fstatSync(descriptor).size === size) {
      return { text: last.toString(), begin: size - last.length };
    }
  }
}

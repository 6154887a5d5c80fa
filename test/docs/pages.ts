import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** The pages that a user reads, by their path in the repository. */
export const pages: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'README.md',
    ...readdirSync(join(root, 'docs'))
      .filter((file) => file.endsWith('.md'))
      .map((file) => `docs/${file}`),
    'examples/README.md',
  ].map((path) => [path, readFileSync(join(root, path), 'utf8')]),
);

/** A fenced block of a page. */
export interface Fence {
  readonly page: string;
  /** The nearest title above it. */
  readonly title: string;
  /** `ts`, `text`, ...; a second word, as in `ts setup`, says what is special. */
  readonly language: string;
  readonly content: string;
}

export function fencesOf(page: string): Fence[] {
  const text = pages[page]!;
  const titles = titlesOf(page);
  return [...text.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].map(({ index, 1: language, 2: content }) => ({
    page,
    title: titleAt(titles, index),
    language: language!,
    content: content!,
  }));
}

/** A page with every character of its fenced blocks made a tilde. */
export function proseOf(page: string): string {
  return pages[page]!.replace(/^```.*?^```$/gms, (fence) => fence.replace(/[^\n]/g, '~'));
}

interface Title {
  readonly title: string;
  readonly index: number;
}

/** The titles of a page, and where they stand. */
function titlesOf(page: string): Title[] {
  return [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(({ index, 1: title }) => ({ title: title!, index }));
}

/** The nearest title above a place. */
function titleAt(titles: readonly Title[], place: number): string {
  return titles.findLast(({ index }) => index < place)?.title ?? '';
}

/** What can stand behind the # of a link to a page, as GitHub makes it of the titles. */
export function anchorsOf(page: string): string[] {
  const seen = new Map<string, number>();
  return titlesOf(page).map(({ title }) => {
    const slug = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

/** A program of a page, and what the page says that it prints, if it does. */
export interface Block {
  readonly page: string;
  readonly title: string;
  readonly code: string;
  readonly output?: string;
}

/** The TypeScript blocks of a page; a `text` block right behind one is what it prints. */
export function blocksOf(page: string): Block[] {
  const titles = titlesOf(page);
  const found = pages[page]!.matchAll(/^```ts\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?/gms);
  return [...found].map(({ index, 1: code, 2: output }) => ({
    page,
    title: titleAt(titles, index),
    code: code!,
    output,
  }));
}

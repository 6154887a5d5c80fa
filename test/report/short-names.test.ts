import { expect, it } from 'vitest';
import { shortNames } from '../../src/report/short-names.js';

it.each([
  [[], []],
  [['logs/readings.jsonl'], ['readings']],
  [['logs/sam'], ['sam']],
  [
    ['logs/run1/readings.jsonl', 'logs/run2/readings.jsonl'],
    ['run1', 'run2'],
  ],
  [
    ['c/epoch-1/model.json', 'c/epoch-2/model.json'],
    ['epoch-1', 'epoch-2'],
  ],
  [
    ['a/x.jsonl', 'b/y.csv'],
    ['a/x', 'b/y'],
  ],
  [
    ['c\\one.keras', 'c\\two.keras'],
    ['one', 'two'],
  ],
  [
    ['logs', 'logs/sam'],
    ['logs', 'sam'],
  ],
  [
    ['a.json', 'a.json'],
    ['a', 'a_2'],
  ],
  [
    ['epoch.1', 'epoch.2'],
    ['epoch.1', 'epoch.2'],
  ],
  [
    ['.json', 'x'],
    ['.json', 'x'],
  ],
])('%j are called %j', (paths, names) => {
  expect(shortNames(paths)).toEqual(names);
});

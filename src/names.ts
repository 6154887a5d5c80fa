/** a, b and c */
export function enumerate(texts: readonly string[], conjunction: 'and' | 'or' = 'and'): string {
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} ${conjunction} ${texts.at(-1)}`;
}

/** 1 input, 3 inputs */
export function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** 'a', 'b' and 'c'; of more than four, 'a', 'b', 'c' and 7 more: networks have dozens of layers of a kind. */
export function enumerateNames(names: Iterable<string>): string {
  const all = [...names].map((name) => `'${name}'`);
  return enumerate(all.length > 4 ? [...all.slice(0, 3), `${all.length - 3} more`] : all);
}

/** The same names, those that occur again with `_2`, `_3`, ... behind them: the first number that makes a name which is none of the others. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let distinct = name;
    for (let i = 2; seen.has(name) && taken.has(distinct); i++) {
      distinct = `${name}_${i}`;
    }
    seen.add(name);
    taken.add(distinct);
    return distinct;
  });
}

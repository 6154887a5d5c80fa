import { parseArgs } from 'node:util';

/** Options with their defaults. Each is given as `--name-of-option value`, where the default is false as `--name-of-option`. */
type Defaults = Readonly<Record<string, number | string | false>>;
type Chosen<D extends Defaults> = {
  readonly [Name in keyof D]: D[Name] extends number ? number : D[Name] extends string ? string : boolean;
};

/**
 * Runs `main` with the options of the command line, or prints the help; what goes wrong is printed in one line.
 * @param usage what `--help` prints; the first line is `usage: <command> [options]`
 * @param defaults where it is a whole number, the option takes whole numbers of at least 1, else any number of at least 0
 * @param backends what `--backend` may be
 */
export async function runWithOptions<D extends Defaults>(
  usage: string,
  defaults: D,
  backends: readonly string[],
  main: (options: Chosen<D>) => Promise<void>,
): Promise<void> {
  try {
    const { help, ...values } = parseArgs({
      options: {
        ...Object.fromEntries(
          Object.entries(defaults).map(
            ([name, preset]) => [name, { type: preset === false ? 'boolean' : 'string' }] as const,
          ),
        ),
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
    if (help) {
      console.log(usage);
      return;
    }
    const options = Object.entries(defaults).map(([name, preset]) => {
      const given = (values as Record<string, string | boolean | undefined>)[name];
      if (typeof given !== 'string') {
        return [name, given ?? preset];
      }
      return [name, typeof preset === 'number' ? readNumber(name, given, Number.isInteger(preset)) : given];
    });
    const chosen = Object.fromEntries(options);
    if (!backends.includes(chosen.backend)) {
      throw new Error(`--backend must be ${backends.join(' or ')}, but it is '${chosen.backend}'.`);
    }
    await main(chosen);
  } catch (error) {
    const [, command] = /^usage: (.*) \[options\]/.exec(usage)!;
    console.error(`${(error as Error).message} (${command} --help lists the options)`);
    process.exitCode = 1;
  }
}

/**
 * For a program without options: with `--help` it prints what the program does, with any other option a line, and ends before
 * anything is trained.
 *
 * @param usage the first line is `usage: <command>`, and what may follow it
 * @returns the arguments that are no options
 */
export function argumentsOf(usage: string): string[] {
  const given = process.argv.slice(2);
  const option = given.find((each) => each.startsWith('-'));
  if (option === undefined) {
    return given;
  }
  const isHelp = option === '--help' || option === '-h';
  if (isHelp) {
    console.log(usage);
  } else {
    console.error(`There is no option ${option}; --help says what there is.`);
  }
  process.exit(isHelp ? 0 : 1);
}

function readNumber(name: string, given: string, isWhole: boolean): number {
  const value = Number(given);
  if (isWhole ? !Number.isInteger(value) || value < 1 : !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    const wanted = isWhole ? 'a whole number of at least 1' : 'a number of at least 0';
    throw new Error(`--${name} must be ${wanted}, but it is '${given}'.`);
  }
  return value;
}

/** Where TensorBoard's files go by default: a folder of its own for each run. */
export function newLogdir(name: string): string {
  return `logs/${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}`;
}

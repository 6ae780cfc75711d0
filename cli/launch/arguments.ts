// Splits a command line into options and positionals. Launcher and command read it with the same
// code, so that both see the same values. Imports nothing: the launcher must start at once.

/** The variable that hands executors' permissions to the command. */
export const EXECUTORS = "FRAMELANE_EXECUTOR_PERMISSIONS";

/** Texts that turn a switch off, in an environment variable. */
export const OFF: readonly string[] = ["false", "0", "no"];

/** One word of a command line, or an option with its value. */
export type Token =
  | { readonly kind: "positional"; readonly value: string }
  | {
    readonly kind: "option";
    /** Without dashes, and without `no-` where the switch was turned off. */
    readonly name: string;
    /** As it was written, e.g. `--no-loop`. */
    readonly flag: string;
    /** Absent: none was given. */
    readonly value?: string;
    readonly negated: boolean;
  };

/** What is known of an option before its value is read. */
export interface OptionForm {
  readonly switch?: boolean;
}

/**
 * The tokens of a command line. An option that takes a value takes the next word, unless that is an
 * option too; an unknown option takes none. Words after `--` are positionals.
 */
export function tokensOf(
  argv: readonly string[],
  options: Readonly<Record<string, OptionForm>>,
): Token[] {
  const tokens: Token[] = [];
  const formOf = (name: string) => Object.hasOwn(options, name) ? options[name] : undefined;
  const isOption = (word: string) =>
    /^--(?:no-)?([^=]+)/.exec(word)?.slice(1).some(formOf) === true;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === "--") {
      for (const value of argv.slice(i + 1)) tokens.push({ kind: "positional", value });
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      tokens.push({ kind: "positional", value: word });
      continue;
    }
    const equals = word.indexOf("=");
    const flag = equals < 0 ? word : word.slice(0, equals);
    const given = flag.startsWith("--") ? flag.slice(2) : flag;
    const negated = given.startsWith("no-") && formOf(given) === undefined &&
      formOf(given.slice(3)) !== undefined;
    const name = negated ? given.slice(3) : given;
    const form = flag.startsWith("--") ? formOf(name) : undefined;
    const takesNext = form !== undefined && !form.switch && !negated && equals < 0 &&
      !isOption(argv[i + 1] ?? "");
    const value = equals >= 0 ? word.slice(equals + 1) : takesNext ? argv[++i] : undefined;
    tokens.push({ kind: "option", name, flag, negated, ...(value === undefined ? {} : { value }) });
  }
  return tokens;
}

/** One option's text before all are parsed: `true` or `false` of a switch. */
export function optionText(
  name: string,
  form: OptionForm,
  argv: readonly string[],
  environment: (name: string) => string | undefined,
): string | undefined {
  const given = tokensOf(argv, { [name]: form })
    .flatMap((token) => token.kind === "option" && token.name === name ? [token] : []).at(-1);
  if (given === undefined) return environment(environmentName(name));
  return form.switch ? String(!given.negated) : given.value;
}

/** Whether the line contains `--help` or `-h`. */
export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.includes("--help") || words.includes("-h");
}

/** The environment variable of an option: `starting-offsets` is `FRAMELANE_STARTING_OFFSETS`. */
export function environmentName(option: string): string {
  return `FRAMELANE_${option.toUpperCase().replaceAll("-", "_")}`;
}

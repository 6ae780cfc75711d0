// Commands and their options. One table per command defines parsing, environment variables, validation, help
// and the reference in `docs/cli.md`.
import type { AccessWord } from "../runtime/base/access.ts";
import { messageOf, read } from "../runtime/base/errors.ts";
import { nearest } from "../runtime/base/nearest.ts";
import {
  ABOVE_ZERO,
  brief,
  number,
  oneOf,
  shown,
  taken,
  TOPIC,
  whole,
} from "../runtime/base/options.ts";
import type { LaunchRow } from "./launch/access.ts";
import { environmentName, OFF, tokensOf } from "./launch/arguments.ts";

export interface Option<T = unknown> {
  /** Placeholder of the value in help, e.g. `URI`, `SECONDS`; absent for switches. */
  readonly value?: string;
  readonly help: string;
  /** Used if neither the flag nor the environment variable is given. */
  readonly default?: T;
  readonly required?: boolean;
  /** May be repeated; in the environment variable, values are separated by spaces. */
  readonly multiple?: boolean;
  /** A switch has no value; `--no-NAME` turns it off. */
  readonly switch?: boolean;
  /** Parses the value. Throws an Error whose message says what is accepted. */
  readonly parse?: (text: string) => T;
  /** Only the flag turns it on: the variable is meant for the option of that name of another command. */
  readonly byFlag?: true;
  /** The actions of its command that use it: others refuse it. Without it, all do. */
  readonly actions?: readonly string[];
  /** What the value lets the run access: the launcher permits nothing else. */
  readonly opens?: AccessWord;
  /** How to quote an invalid value that may hold a secret. */
  readonly show?: (text: string) => string;
}

/** The table of a command's options, by flag name without dashes. */
export type Options = Readonly<Record<string, Option>>;

type Parsed<O> = O extends { readonly parse: (text: string) => infer T } ? T : string;
type OneOf<O> = O extends { readonly switch: true } ? boolean : Parsed<O>;
type ValueOf<O> = O extends { readonly multiple: true } ? readonly OneOf<O>[] : OneOf<O>;

/** The parsed options of a table; undefined if neither given nor set by default. */
export type Values<O extends Options> = string extends keyof O ? Readonly<Record<string, unknown>>
  : {
    readonly [K in keyof O]: O[K] extends
      { readonly default: unknown } | { readonly required: true } ? ValueOf<O[K]>
      : ValueOf<O[K]> | undefined;
  };

export interface Arguments<O extends Options = Options> {
  readonly positionals: readonly string[];
  readonly options: Values<O>;
}

export type LogLevel = "info" | "warn" | "error";

export interface CommandContext {
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /**
   * Prints a machine-readable line, or one that the user requested. Masks secrets, unless `shown`: to tell
   * the user a secret that this run created.
   */
  readonly print: (line: string, secrets?: "shown") => void;
  /** Prints a message to standard error, so that pipes stay clean. */
  readonly say: (line: string, level?: LogLevel) => void;
}

/** A command: `deno task NAME`. */
export interface Command<O extends Options = Options> extends CommandRow<O> {
  readonly name: string;
  /** Help; the overview shows its first sentence. */
  readonly summary: string;
}

/** A command but for its name. Create it with `command`, which infers the types of its options. */
export interface CommandRow<O extends Options = Options> {
  /**
   * The words besides options, as in the usage line: `N`, `[NAME…]`, or actions with theirs, such as
   * `add N SOURCE | list`. Without it, none is accepted.
   */
  readonly positionals?: string;
  readonly options: O;
  /** What the command always needs, and what its positionals open. */
  readonly needs?: Omit<LaunchRow, "switches" | "options">;
  /**
   * Faults that option parsers cannot detect: in the values of positionals, and of combined options. Called even
   * if options are invalid or positionals are missing, but not without a known action, so that all faults are reported together.
   *
   * @param given options that were given, even with an invalid value
   * @param flags those on the command line: variables of the environment hold for many commands
   */
  check?(
    args: Arguments<O>,
    given: { has(option: string): boolean },
    flags: readonly string[],
  ): readonly string[] | Promise<readonly string[]>;
  /**
   * Runs the command.
   *
   * @returns the exit code: 0 done, 1 failed
   * @throws {UsageError} wrong use: exit code 2
   */
  run(args: Arguments<O>, context: CommandContext): Promise<number>;
}

/** Infers the types of a command's options from its table. */
export function command<const O extends Options>(definition: CommandRow<O>): CommandRow {
  return definition;
}

/** The same options, for these actions of a command only. */
export function optionsOf<O extends Options>(actions: readonly string[], options: O): O {
  const entries = Object.entries(options).map(([name, option]) => [name, { ...option, actions }]);
  return Object.fromEntries(entries) as O;
}

/** Wrong use of a command, with all faults. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join("\n"));
    this.faults = faults;
  }
}

/** @throws {UsageError} where a log or a source is refused as it was given (`INVALID`) */
export async function orUsageError<T>(opened: Promise<T>): Promise<T> {
  try {
    return await opened;
  } catch (error) {
    throw read(error, "code") === "INVALID" ? new UsageError([messageOf(error)]) : error;
  }
}

/**
 * Parses a command's arguments. The flag overrides the environment variable, which overrides the default.
 *
 * @throws {UsageError} with all faults, each saying what was given and what is accepted
 */
export async function parseCommand<O extends Options>(
  command: Command<O>,
  argv: readonly string[],
  environment: (name: string) => string | undefined,
): Promise<Arguments<O>> {
  const faults: string[] = [];
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  /** Those that cannot be the value of an unknown option before them. */
  const certain: string[] = [];
  const names = Object.keys(command.options);
  const empty = new Set<string>();
  let unknownBefore = false;
  for (const token of tokensOf(argv, command.options)) {
    if (token.kind === "positional") {
      positionals.push(token.value);
      if (!unknownBefore) certain.push(token.value);
      unknownBefore = false;
      continue;
    }
    const { name, flag, value, negated } = token;
    const option = Object.hasOwn(command.options, name) ? command.options[name] : undefined;
    const unknown = option === undefined || !flag.startsWith("--");
    unknownBefore = unknown && value === undefined;
    if (unknown) {
      const close = nearest(name, names);
      faults.push(`Unknown option ${brief(flag)}${close ? `: did you mean --${close}?` : ""}`);
    } else if (option.switch) {
      if (value !== undefined) {
        faults.push(`Option ${flag} takes no value: given ${shown(value)}`);
      }
      const text = String(!negated);
      if (![undefined, text].includes(given.get(name)?.[0])) {
        faults.push(`Option ${flag} contradicts ${negated ? `--${name}` : `--no-${name}`}`);
      }
      given.set(name, [text]);
    } else if (negated) {
      faults.push(`Unknown option ${flag}: --${name} takes a value`);
    } else if (value === undefined || value.trim() === "") {
      faults.push(`No value for ${flag}: expected ${option.value ?? "VALUE"}`);
      empty.add(name);
    } else if (given.has(name) && !option.multiple) {
      faults.push(`Option ${flag} was given more than once`);
    } else {
      given.set(name, [...(given.get(name) ?? []), value]);
    }
  }
  const flags = [...given.keys()];
  const options: Record<string, unknown> = {};
  for (const name of names) {
    const option = command.options[name]!;
    let texts = given.get(name);
    let origin = `--${name}`;
    if (texts === undefined) {
      const text = environment(environmentName(name));
      if (text !== undefined && text !== "") {
        given.set(name, [text]);
        texts = option.multiple ? text.split(/\s+/).filter((part) => part !== "") : [text];
        origin = environmentName(name);
      }
    }
    if (texts === undefined) {
      if (option.default !== undefined) options[name] = option.default;
      else if (option.required && !empty.has(name)) {
        faults.push(`Cannot ${command.name} without --${name}`);
      }
      continue;
    }
    const values: unknown[] = [];
    for (const text of texts) {
      try {
        values.push(parseOne(option, text));
      } catch (error) {
        const given = option.show?.(text) ?? text;
        faults.push(`Cannot use ${origin} ${shown(given)}: ${reasonOf(given, error)}`);
      }
    }
    if (option.byFlag && !flags.includes(name)) continue;
    options[name] = option.multiple ? values : values[0];
  }
  // Built by the table's own parsers: the only place where they are joined with their type.
  const args: Arguments<O> = { positionals, options: options as Values<O> };
  const faultsWith = (words: readonly string[]) =>
    wordFaults(
      command,
      words,
      flags,
      () => command.check?.({ ...args, positionals: words }, given, flags) ?? [],
    );
  const own = await faultsWith(positionals);
  const fewer = certain.length === positionals.length ? own : await faultsWith(certain);
  faults.push(...own.length < fewer.length ? own : fewer);
  // Faults that the launcher found in the paths this run would write to.
  faults.push(...JSON.parse(environment("FRAMELANE_LAUNCH_FAULTS") ?? "[]") as string[]);
  if (faults.length > 0) throw new UsageError([...new Set(faults)]);
  return args;
}

/** Why a value is invalid, without the value if the error names it first. */
export function reasonOf(given: string, error: unknown): string {
  const value = `${shown(given)}: `;
  const [before, ...after] = messageOf(error).split(value);
  return after.length > 0 && !before!.includes(":") ? after.join(value) : messageOf(error);
}

function parseOne(option: Option, text: string): unknown {
  if (option.switch) {
    if (["true", "1", "yes"].includes(text)) return true;
    if (OFF.includes(text)) return false;
    throw new Error("expected true or false");
  }
  return option.parse ? option.parse(text) : text;
}

export const parsers = {
  number,
  positive: number(ABOVE_ZERO),
  /** @param or what else is accepted, such as `off or ` */
  integer: (minimum: number, maximum?: number, or?: string) =>
    Object.assign(number(whole(minimum, maximum), or), { numbers: { minimum, maximum } }),
  text: (takes: (text: string) => boolean, accepted: string) => (text: string): string =>
    taken(text, { accepted, takes: () => takes(text) }),
  oneOf: <const W extends string>(...words: W[]) => (text: string): W =>
    taken(text as W, oneOf(...words)),
  topic: (text: string): string => taken(text, TOPIC),
  /** `all`, or comma-separated numbers. */
  partitions(text: string): "all" | number[] {
    if (text === "all") return "all";
    if (!/^\d+(,\d+)*$/.test(text)) {
      throw new Error("expected all or partition numbers such as 0,2");
    }
    return [...new Set(text.split(",").map(Number))].sort((a, b) => a - b);
  },
};

/**
 * Faults in the words that are not options: the action, options of another one, their number by the usage line,
 * and the command's own.
 *
 * @param flags options on the command line; variables of the environment hold for many commands
 */
async function wordFaults(
  { name, positionals = "", options }: Command,
  words: readonly string[],
  flags: readonly string[],
  check: () => readonly string[] | Promise<readonly string[]>,
): Promise<readonly string[]> {
  const forms = positionals.split(" | ").map((form) => form.split(" ").filter((word) => word));
  const actions = forms.length === 1 ? [] : forms.map(([action]) => action!);
  const [action] = words;
  const form = actions.length === 0 ? forms[0]! : forms.find(([one]) => one === action);
  if (form === undefined) {
    const expected = `expected ${actions.slice(0, -1).join(", ")} or ${actions.at(-1)}`;
    if (action === undefined) return [`Nothing to do: ${expected}`];
    const close = nearest(action, actions);
    const hint = close === undefined ? expected : `did you mean ${close}?`;
    return [`Unknown action ${shown(action)} of ${name}: ${hint}`];
  }
  const faults = flags.flatMap((flag) => {
    const takers = options[flag]?.actions;
    if (takers === undefined || takers.includes(action!)) return [];
    return [`Cannot use --${flag} with ${name} ${action}: only with ${takers.join(", ")}`];
  });
  faults.push(...await check());
  const expected = `expected deno task ${[name, ...form].join(" ")}`;
  const missing = form.slice(words.length).filter((word) => !word.startsWith("["));
  if (missing.length > 0) faults.push(`Missing ${missing.join(" and ")}: ${expected}`);
  if (words.length > form.length && !form.at(-1)?.includes("…")) {
    faults.push(`Cannot use argument ${shown(words[form.length])}: ${expected}`);
  }
  return faults;
}

// Kinds of sinks for the command line: one row describes a kind completely.
import { shown } from "../base/options.ts";
import type { AccessWord, UriAccess } from "../base/access.ts";
import type { Output } from "./frame.ts";
import type { Sink } from "./sink.ts";
import { parseDuration } from "./trigger.ts";

/** An option of a kind of sink. */
export interface SinkOption<T = unknown> {
  /** Placeholder of the value in the help: `N`, `mp4|avi`. */
  readonly value: string;
  readonly help: string;
  /** @throws {Error} saying what was given and what is accepted. */
  readonly parse: (text: string) => T;
  /** The permission that the value requires; see `AccessWord`. */
  readonly opens?: AccessWord;
}

/** The values of the options that were set. */
export type SinkValues<O> = {
  readonly [K in keyof O]?: O[K] extends SinkOption<infer T> ? T : never;
};

/**
 * One kind of sink. The built-in ones are listed in `sinks/table.ts`. To use your own, export it as
 * the default of a module and name it by the module's path: `--sink ./postgres.ts:TABLE?batch=100`.
 *
 * @example
 * ```ts
 * import { sinkType } from "./sink_type.ts";
 *
 * export default sinkType({
 *   name: "postgres",
 *   target: "TABLE",
 *   help: "a row for each output",
 *   options: { schema: { value: "NAME", help: "schema of the table", parse: String } },
 *   open: ({ target, options: { schema = "public" } }) => ({
 *     uri: `postgres:${schema}.${target}`,
 *     delivery: "at-least-once",
 *     open: () => ({ write: (outputs) => console.log(outputs.length) }),
 *   }),
 * });
 * ```
 */
export interface SinkType<O extends Readonly<Record<string, SinkOption>> = Record<never, never>> {
  readonly name: string;
  /** Placeholder of the text after the colon, e.g. `DIR`; absent if none is accepted. */
  readonly target?: string;
  readonly help: string;
  readonly options?: O;
  /** The character before the options: `?` by default, or `#` if the target may contain `?`. */
  readonly mark?: "#";
  /** What the target opens: a folder, a file, or the host of a web address (`//HOST:PORT/…`, `https://…`). */
  readonly opens?: NonNullable<UriAccess["target"]>;
  /** Ports that it connects to, besides that of its address. */
  readonly ports?: readonly number[];
  /** Environment variable for a secret, to keep it out of command lines. */
  readonly secret?: string;
  /**
   * Makes the sink from its parsed URI.
   *
   * @throws {RangeError} saying what was given and what is accepted.
   */
  open(
    given: {
      readonly target: string;
      readonly options: SinkValues<O>;
      readonly secret: string | undefined;
    },
  ): Sink<Output>;
}

/** A kind of sink with any options. */
export interface AnySinkType extends Omit<SinkType, "options" | "open"> {
  readonly options: Readonly<Record<string, SinkOption>>;
  /** Makes the sink from the unparsed texts of its options. */
  openTexts(target: string, texts: ReadonlyMap<string, string>): Sink<Output>;
}

/** Declares a kind of sink, and infers the types of `options`. */
export function sinkType<
  const O extends Readonly<Record<string, SinkOption>> = Record<never, never>,
>(
  { open, options = {} as O, ...row }: SinkType<O>,
): AnySinkType {
  return {
    ...row,
    options,
    openTexts(target, texts) {
      const values = Object.fromEntries(
        Array.from(texts, ([name, text]) => [name, options[name]!.parse(text)]),
      );
      return open({ target, options: values as SinkValues<O>, secret: secretOf(row.secret) });
    },
  };
}

function secretOf(variable: string | undefined): string | undefined {
  if (variable === undefined) return undefined;
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) || undefined : undefined;
}

/** Accepts any text: the sink validates it. */
export const text = (given: string): string => given;

/** Accepts a keyword: the sink validates it. */
export const word = <W extends string>(given: string): W => given as W;

/** @throws {RangeError} if it is not a number. */
export function number(given: string): number {
  const value = Number(given);
  if (given.trim() === "" || !Number.isFinite(value)) {
    throw new RangeError(`Cannot use ${shown(given)} as a number`);
  }
  return value;
}

/** Milliseconds of a duration such as `10m`. */
export const duration = parseDuration;

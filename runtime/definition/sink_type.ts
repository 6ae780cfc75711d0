// Kinds of sinks, as the command line names them: one row says all that there is to know of a kind.
import type { AccessWord, UriAccess } from "../base/access.ts";
import type { Output } from "./frame.ts";
import type { Sink } from "./sink.ts";
import { parseDuration } from "./trigger.ts";

/** An option of a kind of sink. */
export interface SinkOption<T = unknown> {
  /** What the value looks like, for help: `N`, `mp4|avi`. */
  readonly value: string;
  readonly help: string;
  /** @throws {Error} saying what was given and what is accepted. */
  readonly parse: (text: string) => T;
  /** What the value opens: see `AccessWord`. */
  readonly opens?: AccessWord;
}

/** The values of options: those that were given. */
export type SinkValues<O> = {
  readonly [K in keyof O]?: O[K] extends SinkOption<infer T> ? T : never;
};

/**
 * One kind of sink. The product's own stand in `sinks/table.ts`; a module of yours whose default export is
 * one is named by its path: `--sink ./postgres.ts:TABLE?batch=100`.
 *
 * @example
 * ```ts
 * import { sinkType, text } from "./sink_type.ts";
 *
 * export default sinkType({
 *   name: "postgres",
 *   target: "TABLE",
 *   help: "a row for each output",
 *   options: { schema: { value: "NAME", help: "schema of the table", parse: text } },
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
  /** What must follow the colon, e.g. `DIR`; absent when nothing may. */
  readonly target?: string;
  readonly help: string;
  readonly options?: O;
  /** What options follow: `?`, or `#` where the target may hold a `?` itself. */
  readonly mark?: "#";
  /** What the target opens: a folder, a file, or a host of the network. */
  readonly opens?: NonNullable<UriAccess["target"]>;
  /** Ports that it reaches besides that of its address. */
  readonly ports?: readonly number[];
  /** Environment variable of a secret, which need not stand in a command line. */
  readonly secret?: string;
  /**
   * Makes the sink of what stands in its URI.
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

/** A kind of sink whose options are whatever they are. */
export interface AnySinkType extends Omit<SinkType, "options" | "open"> {
  readonly options: Readonly<Record<string, SinkOption>>;
  /** Opens it with the texts of its options. */
  openTexts(target: string, texts: ReadonlyMap<string, string>): Sink<Output>;
}

/** A row of the table: checks nothing by itself, and types `options` from their own rows. */
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

/** The text as it is: the sink checks it. */
export const text = (given: string): string => given;

/** A word that the sink checks. */
export const word = <W extends string>(given: string): W => given as W;

/** @throws {RangeError} when it is none. */
export function number(given: string): number {
  const value = Number(given);
  if (given.trim() === "" || !Number.isFinite(value)) {
    throw new RangeError(`Cannot use ${JSON.stringify(given)} as a number`);
  }
  return value;
}

/** Milliseconds of a duration such as `10m`. */
export const duration = parseDuration;

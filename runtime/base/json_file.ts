// Files of JSON that people write.
import { messageOf } from "./errors.ts";
import { type Fault, faultText } from "./fields.ts";
import { readGiven } from "./given_file.ts";

/**
 * Parses JSON, and refuses an object with the same field twice: only the last would count.
 *
 * @throws {SyntaxError}
 */
function parseJson(text: string): unknown {
  const json = text.replace(/^\ufeff/, "");
  const counts = new Map<string, number>([["", 1]]);
  const count = (key: string, by: number) => counts.set(key, (counts.get(key) ?? 0) + by);
  const parsed: unknown = JSON.parse(json, function (this: unknown, key, value) {
    if (!Array.isArray(this)) count(key, -1);
    return value;
  });
  for (const [, key, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*(:?)/g)) {
    if (colon !== "") count(JSON.parse(key!), 1);
  }
  const twice = [...counts].filter(([, left]) => left > 0).map(([key]) => JSON.stringify(key));
  if (twice.length === 0) return parsed;
  throw new SyntaxError(`an object has ${twice.join(", ")} more than once`);
}

/**
 * Reads a JSON file.
 *
 * @param Refusal the error for a file that cannot be used
 * @param text its content, if that is known
 * @throws {Refusal} saying why it cannot be read.
 */
export function readJson(
  path: string,
  Refusal: new (path: string, faults: readonly string[], options: ErrorOptions) => Error,
  text?: string,
): unknown {
  try {
    return parseJson(text ?? readGiven(path));
  } catch (cause) {
    const isSyntax = cause instanceof SyntaxError;
    const fault = `${isSyntax ? "expected JSON: " : ""}${messageOf(cause)}`;
    throw new Refusal(path, [fault], isSyntax ? { cause } : {});
  }
}

/** A file that cannot be used, with all its faults. Each kind of file has a class of its own. */
export class FaultsError extends Error {
  /** Each names the field, what is accepted and what was given. */
  readonly faults: readonly string[];

  /** @param what kind of file, such as `model` */
  constructor(
    what: string,
    path: string,
    given: readonly (string | Fault)[],
    options?: ErrorOptions,
  ) {
    const texts = given.map((fault) => typeof fault === "string" ? fault : faultText(fault));
    const faults = [...new Set(texts)];
    super(`Cannot use ${what} ${path}:\n${faults.map((one) => `  ${one}`).join("\n")}`, options);
    this.name = new.target.name;
    this.faults = faults;
  }
}

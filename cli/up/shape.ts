// Shapes of fields: each reads a value, reports its faults, and describes itself to editors as JSON Schema.
import { Fields } from "../../runtime/base/fields.ts";
import { FLAG, given, shown, TEXT } from "../../runtime/base/options.ts";
import { parsers, reasonOf } from "../command.ts";

export type Schema = Readonly<Record<string, unknown>>;

type Show = (text: string) => string;

export interface Shape<T> {
  readonly schema: Schema;
  /** How to quote a value that may hold a secret. */
  readonly show?: Show;
  /** The value; undefined after a fault, which it adds to `fields`. */
  read(fields: Fields, name: string, value: unknown): T | undefined;
}

export interface Field<T> extends Shape<T> {
  readonly required?: boolean;
}

type Table = Readonly<Record<string, Field<unknown>>>;
type Read<F extends Table> =
  & { -readonly [K in keyof F as F[K] extends { required: true } ? K : never]: Of<F[K]> }
  & { -readonly [K in keyof F as F[K] extends { required: true } ? never : K]?: Of<F[K]> };
export type Entry<F extends Table> = Read<F> & { readonly path: string };
type Of<F> = F extends Shape<infer T> ? T : never;

/** A value parsed from text or number; `parse` throws what is accepted. */
export function scalar<T>(
  schema: Schema,
  parse: (text: string) => T,
  show?: Show,
): Shape<T> {
  return {
    schema,
    ...given({ show }),
    read(fields, name, value) {
      if (typeof value !== "string" && typeof value !== "number") {
        const accepted = schema["type"] === "integer" ? "a number" : "text";
        return void fields.add(name, accepted, quotable(value, show));
      }
      try {
        return parse(String(value));
      } catch (error) {
        const given = quotable(value, show);
        fields.fault(name, `${reasonOf(String(given), error)}, given ${shown(given)}`);
      }
    },
  };
}

/** A value as a fault may quote it; with `show`, what is in a list or an object stays hidden. */
function quotable(value: unknown, show?: Show): unknown {
  if (show === undefined || value === undefined || value === null) return value;
  if (typeof value === "object") return "***";
  const quoted = show(String(value));
  return quoted === String(value) ? value : quoted;
}

export function text(description: string): Shape<string> {
  const parse = parsers.text((value) => value.trim() !== "", TEXT.accepted);
  return scalar({ type: "string", description }, parse);
}

export function boolean(description: string): Shape<boolean> {
  return {
    schema: { type: "boolean", description },
    read: (fields, name, value) => fields.takes(name, FLAG, value) ? value as boolean : undefined,
  };
}

export function list<T>(item: Shape<T>, description: string): Shape<T[]> {
  return {
    schema: { type: "array", items: item.schema, description },
    read(fields, name, value) {
      if (!Array.isArray(value)) {
        return void fields.add(name, "a list", quotable(value, item.show));
      }
      return value.flatMap((one, index) => item.read(fields, `${name}[${index}]`, one) ?? []);
    },
  };
}

/** An object with known fields; `path` in its value is where it is. */
export function map<F extends Table>(
  table: F,
  description: string,
): Shape<Entry<F>> & { readWhole(json: unknown): readonly [Entry<F> | undefined, Fields] } {
  const names = Object.keys(table);
  const needed = names.filter((name) => table[name]!.required);
  const objectOf = (json: unknown) => Array.isArray(json) ? quotable(json, String) : json;
  const readFields = (fields: Fields) => {
    const values: Record<string, unknown> = { path: fields.path };
    for (const name of names) {
      const value = fields.given[name];
      const read = value === undefined && !table[name]!.required
        ? undefined
        : table[name]!.read(fields, name, value);
      if (read !== undefined) values[name] = read;
    }
    // Built by the fields' own readers: the only place where they are joined with their type.
    return needed.some((name) => values[name] === undefined) ? undefined : values as Entry<F>;
  };
  return {
    schema: {
      type: "object",
      description,
      additionalProperties: false,
      ...(needed.length > 0 ? { required: needed } : {}),
      properties: Object.fromEntries(names.map((name) => [name, table[name]!.schema])),
    },
    show: String,
    read: (fields, name, value) => readFields(fields.object(name, names, objectOf(value))),
    readWhole(json) {
      const fields = new Fields(objectOf(json), names, { what: "the file" });
      return [readFields(fields), fields];
    },
  };
}

type Scalar = string | number | boolean;

export function scalars(description: string): Shape<Readonly<Record<string, Scalar>>> {
  return {
    schema: {
      type: "object",
      description,
      additionalProperties: { type: ["string", "number", "boolean"] },
    },
    read(fields, name, value) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return void fields.add(name, "names with values", value);
      }
      for (const [each, one] of Object.entries(value)) {
        if (["string", "number", "boolean"].includes(typeof one)) continue;
        fields.add(`${name}.${each}`, "text, a number, true or false", one);
      }
      return value as Readonly<Record<string, Scalar>>;
    },
  };
}

/** The first shape if `test` accepts the value, otherwise the second. */
export function either<A, B>(
  test: (value: unknown) => boolean,
  first: Shape<A>,
  second: Shape<B>,
): Shape<A | B> {
  return {
    schema: { anyOf: [first.schema, second.schema] },
    read: (fields, name, value) => (test(value) ? first : second).read(fields, name, value),
  };
}

// The structure of a YAML file: each shape reads a node, reports its faults by line, and describes itself to
// editors as JSON Schema.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
} from "yaml";
import { nearest, refused } from "../command.ts";

export interface Fault {
  readonly line: number;
  readonly message: string;
}

export type Schema = Readonly<Record<string, unknown>>;

export interface Shape<T> {
  readonly schema: Schema;
  /** The value; undefined after a fault. */
  read(place: Place): T | undefined;
}

export interface Field<T> extends Shape<T> {
  readonly required?: boolean;
}

export type Read<F extends Readonly<Record<string, Field<unknown>>>> =
  & { -readonly [K in keyof F as F[K] extends { required: true } ? K : never]: Of<F[K]> }
  & { -readonly [K in keyof F as F[K] extends { required: true } ? never : K]?: Of<F[K]> };
type Of<F> = F extends Shape<infer T> ? T : never;

export class YamlText {
  readonly faults: Fault[] = [];
  readonly #lines = new LineCounter();
  readonly #document;
  readonly #environment: (name: string) => string | undefined;

  constructor(text: string, environment: (name: string) => string | undefined) {
    this.#environment = environment;
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: true,
    });
    // Later errors mostly follow from the first.
    const [error] = this.#document.errors;
    if (error === undefined) return;
    const hint = error.code === "BLOCK_AS_IMPLICIT_KEY"
      ? "; text that ends with a colon needs quotes"
      : "";
    this.#fault(error.pos[0], `Cannot read YAML: ${error.message}${hint}`);
  }

  get root(): Place {
    return new Place(this, this.#document.contents, "", 0);
  }

  line(offset: number): number {
    return this.#lines.linePos(offset).line;
  }

  resolve(node: Node | null): Node | null {
    return isAlias(node) ? node.resolve(this.#document) ?? null : node;
  }

  variable(name: string): string | undefined {
    return this.#environment(name);
  }

  #fault(offset: number, message: string): void {
    this.faults.push({ line: this.line(offset), message });
  }
}

/** A node of the file and its position. */
export class Place {
  readonly text: YamlText;
  readonly node: Node | null;
  /** `cameras[0].fps`. */
  readonly path: string;
  readonly line: number;

  /** @param offset position for an empty node */
  constructor(text: YamlText, node: Node | null, path: string, offset: number) {
    this.text = text;
    this.node = text.resolve(node);
    this.path = path;
    this.line = text.line(node?.range?.[0] ?? offset);
  }

  fault(message: string): undefined {
    this.text.faults.push({ line: this.line, message });
  }

  refuse(expected: string): undefined {
    const value = JSON.stringify(this.plain) ?? "null";
    const given = value.length > 60 ? `${value.slice(0, 59)}…` : value;
    const what = this.path || "the file";
    return this.fault(
      value === "null"
        ? `Cannot use ${what}: it is empty, expected ${expected}`
        : `Cannot use ${what} ${given}: expected ${expected}`,
    );
  }

  get plain(): unknown {
    return isScalar(this.node) ? this.node.value : this.node?.toJSON() ?? null;
  }

  /** The value, with `${FRAMELANE_NAME}` replaced in texts; undefined if one is not set. */
  get filled(): unknown {
    const { plain } = this;
    if (typeof plain !== "string") return plain;
    let known = true;
    const text = fillIn(plain, (name) => {
      const value = this.text.variable(name);
      if (value === undefined) {
        known = false;
        this.fault(`Cannot use ${this.path}: ${name} is not set`);
      }
      return value;
    });
    return known ? text : undefined;
  }
}

/** Replaces `${FRAMELANE_NAME}`; commands see no other variables. */
export function fillIn(text: string, environment: (name: string) => string | undefined): string {
  return text.replace(
    /\$\{(FRAMELANE_[A-Z0-9_]+)\}/g,
    (_, name: string) => environment(name) ?? "",
  );
}

/** A value parsed from text or number; `parse` throws what is accepted. */
export function scalar<T>(
  schema: Schema,
  parse: (text: string) => T,
  show: (text: string) => string = (text) => text,
): Shape<T> {
  return {
    schema,
    read(place) {
      const value = place.filled;
      if (value === undefined) return undefined;
      if (typeof value !== "string" && typeof value !== "number") {
        return place.refuse(schema["type"] === "integer" ? "a number" : "text");
      }
      try {
        return parse(String(value));
      } catch (error) {
        return place.fault(refused(place.path, show(String(value)), error));
      }
    },
  };
}

export function text(description: string): Shape<string> {
  return scalar({ type: "string", description }, (value) => {
    if (value.trim() === "") throw new Error("expected text");
    return value;
  });
}

export function boolean(description: string): Shape<boolean> {
  return {
    schema: { type: "boolean", description },
    read: (place) => typeof place.plain === "boolean" ? place.plain : place.refuse("true or false"),
  };
}

export function list<T>(item: Shape<T>, description: string): Shape<T[]> {
  return {
    schema: { type: "array", items: item.schema, description },
    read(place) {
      if (!isSeq<ParsedNode>(place.node)) return place.refuse("a list");
      return place.node.items.flatMap((node, index) => {
        const value = item.read(new Place(place.text, node, `${place.path}[${index}]`, 0));
        return value === undefined ? [] : [value];
      });
    },
  };
}

/** A map with known fields; `line` in its value is its position. */
export function map<F extends Readonly<Record<string, Field<unknown>>>>(
  fields: F,
  description: string,
): Shape<Read<F> & { readonly line: number }> {
  const names = Object.keys(fields);
  const needed = names.filter((name) => fields[name]!.required);
  return {
    schema: {
      type: "object",
      description,
      additionalProperties: false,
      ...(needed.length > 0 ? { required: needed } : {}),
      properties: Object.fromEntries(names.map((name) => [name, fields[name]!.schema])),
    },
    read(place) {
      const values: Record<string, unknown> = { line: place.line };
      const given = entries(place);
      if (given === undefined) return undefined;
      for (const [name, at] of given) {
        if (Object.hasOwn(fields, name)) values[name] = fields[name]!.read(at);
        else {
          const close = nearest(name, names);
          at.fault(
            `Unknown field ${at.path}: ${
              close === undefined ? `expected ${names.join(", ")}` : `did you mean ${close}?`
            }`,
          );
        }
        if (values[name] === undefined) delete values[name];
      }
      for (const name of needed.filter((name) => !given.some(([one]) => one === name))) {
        place.fault(`Cannot use ${place.path || "the file"} without ${name}`);
      }
      if (needed.some((name) => values[name] === undefined)) return undefined;
      // Built by the fields' own readers: the only place where they are joined with their type.
      return values as Read<F> & { readonly line: number };
    },
  };
}

export function scalars(
  description: string,
): Shape<Readonly<Record<string, string | number | boolean>>> {
  return {
    schema: {
      type: "object",
      description,
      additionalProperties: { type: ["string", "number", "boolean"] },
    },
    read(place) {
      const values: Record<string, string | number | boolean> = {};
      for (const [name, at] of entries(place) ?? []) {
        const value = at.filled;
        if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
          values[name] = value;
        } else if (value !== undefined) at.refuse("text, a number, true or false");
      }
      return values;
    },
  };
}

/** The first shape if `test` accepts the value, otherwise the second. */
export function either<A, B>(
  test: (plain: unknown) => boolean,
  first: Shape<A>,
  second: Shape<B>,
): Shape<A | B> {
  return {
    schema: { anyOf: [first.schema, second.schema] },
    read: (place) => test(place.plain) ? first.read(place) : second.read(place),
  };
}

function entries(place: Place): (readonly [string, Place])[] | undefined {
  if (!isMap<ParsedNode, ParsedNode | null>(place.node)) return place.refuse("a map of names");
  return place.node.items.map(({ key, value }) => {
    const name = String(isScalar(key) ? key.value : key);
    const path = place.path === "" ? name : `${place.path}.${name}`;
    // Report a value below its name at the line of the name.
    const at = isScalar(value) ? value : key;
    const found = new Place(place.text, value, path, at.range?.[0] ?? 0);
    return [name, found] as const;
  });
}

/**
 * A small assembler for WebAssembly: functions are written in TypeScript as calls that append
 * instructions, so that loops can be unrolled and constants worked out while they are written. It has
 * what the kernels beside it need, and no optimiser: V8 has one.
 *
 * @module
 */

import {
  type Code,
  I32,
  I64,
  type Kind,
  KINDS,
  type Like32,
  type Like64,
  memory,
  simd,
  unsigned,
  V128,
  type Value,
} from "./values.ts";

const VOID = 0x40;

const CLASSES = { i32: I32, i64: I64, v128: V128 } as const;
type ValueOf<K extends Kind> = InstanceType<typeof CLASSES[K]>;

/** A variable of a function. */
export type Local<K extends Kind> = ValueOf<K> & { readonly index: number };

function local<K extends Kind>(kind: K, index: number): Local<K> {
  const made = new (CLASSES[kind] as unknown as new (kind: K, code: Code) => ValueOf<K>)(
    kind,
    [0x20, ...unsigned(index)],
  );
  return Object.assign(made, { index });
}

/** Where a branch can go. */
interface Label {
  readonly depth: number;
}

/** A function that is being written. */
export class FunctionBuilder {
  readonly #body: number[] = [];
  readonly #kinds: Kind[];
  readonly #parameters: number;
  #depth = 0;

  constructor(parameters: readonly Kind[]) {
    this.#kinds = [...parameters];
    this.#parameters = parameters.length;
  }

  #variable<K extends Kind>(kind: K): Local<K> {
    this.#kinds.push(kind);
    return local(kind, this.#kinds.length - 1);
  }

  /** A variable with a first value. */
  i32(value: Like32): Local<"i32"> {
    const variable = this.#variable("i32");
    this.set(variable, value);
    return variable;
  }

  i64(value: Like64): Local<"i64"> {
    const variable = this.#variable("i64");
    this.set(variable, value);
    return variable;
  }

  v128(value: V128): Local<"v128"> {
    const variable = this.#variable("v128");
    this.set(variable, value);
    return variable;
  }

  set(variable: Local<"i32">, value: Like32): void;
  set(variable: Local<"i64">, value: Like64): void;
  set(variable: Local<"v128">, value: V128): void;
  set(variable: Local<Kind>, value: Value<Kind> | number): void {
    const { code } = typeof value !== "number"
      ? value
      : variable.kind === "i64"
      ? I64.of(value)
      : I32.of(value);
    this.#body.push(...code, 0x21, ...unsigned(variable.index));
  }

  store(address: I32, value: Like32, offset = 0): void {
    this.#body.push(...address.code, ...I32.of(value).code, 0x36, ...memory(offset));
  }

  store8(address: I32, value: Like32, offset = 0): void {
    this.#body.push(...address.code, ...I32.of(value).code, 0x3a, ...memory(offset));
  }

  store64(address: I32, value: I64, offset = 0): void {
    this.#body.push(...address.code, ...value.code, 0x37, ...memory(offset));
  }

  /** The lowest 16 bits. */
  store16(address: I32, value: I32, offset = 0): void {
    this.#body.push(...address.code, ...value.code, 0x3b, ...memory(offset));
  }

  storeV(address: I32, value: V128, offset = 0): void {
    this.#body.push(...address.code, ...value.code, ...simd(11), ...memory(offset));
  }

  /** Half of the bytes: 0 is the lower half, 1 the upper one. */
  storeHalf(address: I32, value: V128, half: 0 | 1, offset = 0): void {
    this.#body.push(...address.code, ...value.code, ...simd(91), ...memory(offset), half);
  }

  #nest(opcode: number, write: (label: Label) => void): void {
    this.#body.push(opcode, VOID);
    write({ depth: ++this.#depth });
    this.#depth--;
    this.#body.push(0x0b);
  }

  /** A branch to its label leaves it. */
  block(write: (leave: Label) => void): void {
    this.#nest(0x02, write);
  }

  /** A branch to its label begins it again; without one it ends. */
  loop(write: (again: Label) => void): void {
    this.#nest(0x03, write);
  }

  if(condition: I32, write: () => void): void {
    this.#body.push(...condition.code);
    this.#nest(0x04, write);
  }

  branch({ depth }: Label): void {
    this.#body.push(0x0c, ...unsigned(this.#depth - depth));
  }

  branchIf(condition: I32, { depth }: Label): void {
    this.#body.push(...condition.code, 0x0d, ...unsigned(this.#depth - depth));
  }

  /** Runs once, and again while the condition that it returns holds. */
  repeat(write: () => I32): void {
    this.loop((again) => this.branchIf(write(), again));
  }

  call(index: number, ...values: readonly Like32[]): void {
    this.#body.push(...values.flatMap((value) => I32.of(value).code), 0x10, ...unsigned(index));
  }

  return(value: Like32): void {
    this.#body.push(...I32.of(value).code, 0x0f);
  }

  /** Ends a function that returns nothing. */
  leave(): void {
    this.#body.push(0x0f);
  }

  /** Bytes of the code section. */
  finish(): number[] {
    const locals = this.#kinds.slice(this.#parameters);
    const groups: { kind: Kind; count: number }[] = [];
    for (const kind of locals) {
      const last = groups.at(-1);
      if (last?.kind === kind) last.count++;
      else groups.push({ kind, count: 1 });
    }
    const declared = groups.flatMap(({ kind, count }) => [...unsigned(count), KINDS[kind]]);
    const body = [...unsigned(groups.length), ...declared, ...this.#body, 0x0b];
    return [...unsigned(body.length), ...body];
  }
}

/** As many variables as a function takes. */
type Parameters<N extends readonly string[]> = { readonly [I in keyof N]: Local<"i32"> };

/** A module that is being written. All functions take and return 32 bits; it imports its memory. */
export class ModuleBuilder {
  readonly #functions: { name: string; parameters: number; returns: boolean; code: number[] }[] =
    [];

  /**
   * Adds a function.
   *
   * @param parameters their names, for the reader
   * @param returns whether it returns something
   * @returns its number, for `call`
   */
  add<const N extends readonly string[]>(
    name: string,
    parameters: N,
    returns: boolean,
    write: (f: FunctionBuilder, ...parameters: Parameters<N>) => void,
  ): number {
    const f = new FunctionBuilder(parameters.map(() => "i32"));
    const variables = parameters.map((_, i) => local("i32", i));
    write(f, ...(variables as unknown as Parameters<N>));
    if (returns) f.return(0);
    this.#functions.push({ name, parameters: parameters.length, returns, code: f.finish() });
    return this.#functions.length - 1;
  }

  /** The module. It wants its memory as `memory.memory`, and exports its functions. */
  bytes(): Uint8Array<ArrayBuffer> {
    const text = (name: string) => [...unsigned(name.length), ...new TextEncoder().encode(name)];
    const section = (id: number, items: readonly (readonly number[])[]) => {
      const content = [...unsigned(items.length), ...items.flat()];
      return [id, ...unsigned(content.length), ...content];
    };
    const functions = this.#functions;
    return Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(
        1,
        functions.map(({ parameters, returns }) => [
          0x60,
          ...unsigned(parameters),
          ...new Array(parameters).fill(KINDS.i32),
          ...(returns ? [1, KINDS.i32] : [0]),
        ]),
      ),
      ...section(2, [[...text("memory"), ...text("memory"), 0x02, 0x00, 1]]),
      ...section(3, functions.map((_, i) => unsigned(i))),
      ...section(7, functions.map(({ name }, i) => [...text(name), 0x00, ...unsigned(i)])),
      ...section(10, functions.map(({ code }) => code)),
    ]);
  }
}

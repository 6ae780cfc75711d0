/**
 * What an `.onnx` file says about its inputs and outputs, read without loading the model.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** A dimension: fixed, or free with its name (empty where it has none). */
export type Dimension = number | string;

/** An input or output. */
export interface OnnxValue {
  readonly name: string;
  /** `float32`, `float16`, `uint8`, `int64`, …; `other` for what is no tensor. */
  readonly dtype: string;
  /** Undefined where the file does not say. */
  readonly shape: readonly Dimension[] | undefined;
}

/** What an `.onnx` file says about itself. */
export interface OnnxFile {
  readonly producer: string;
  /** Version of the standard operators. */
  readonly opset: number | undefined;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

/** Names of the element types of ONNX, by number. */
const DTYPES = [
  "other",
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
] as const;

/**
 * Reads an `.onnx` file.
 *
 * @throws {Error} when it cannot be read or is no ONNX model.
 */
export function readOnnx(path: string): OnnxFile {
  const bytes = Deno.readFileSync(path);
  try {
    return { ...readModel(bytes), sha256: hashOf(bytes), bytes: bytes.length };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Error(`Cannot read ${path} as an ONNX model: ${error.message}`, { cause: error });
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function readModel(bytes: Uint8Array): Omit<OnnxFile, "sha256" | "bytes"> {
  let producer = "", version = "";
  let opset: number | undefined;
  let graph: Uint8Array | undefined;
  for (const { field, value, block } of fieldsOf(bytes)) {
    if (field === 2) producer = textOf(block);
    else if (field === 3) version = textOf(block);
    else if (field === 7) graph = block;
    else if (field === 8) {
      const set = [...fieldsOf(block)];
      const domain = set.find((entry) => entry.field === 1);
      if (domain === undefined || domain.block.length === 0) {
        opset = set.find((entry) => entry.field === 2)?.value;
      }
    } else if (field === 1 && value > 1_000) throw new RangeError("its version makes no sense");
  }
  if (graph === undefined) throw new RangeError("it has no graph");
  const inputs: OnnxValue[] = [], outputs: OnnxValue[] = [];
  const weights = new Set<string>();
  for (const { field, block } of fieldsOf(graph)) {
    if (field === 5) weights.add(textOf(find(block, 8)));
    else if (field === 11) inputs.push(readValue(block));
    else if (field === 12) outputs.push(readValue(block));
  }
  return {
    producer: [producer, version].filter((part) => part !== "").join(" "),
    opset,
    // Old files list their weights among the inputs too.
    inputs: inputs.filter(({ name }) => !weights.has(name)),
    outputs,
  };
}

function readValue(block: Uint8Array): OnnxValue {
  const name = textOf(find(block, 1));
  const tensor = find(find(block, 2), 1);
  if (tensor.length === 0) return { name, dtype: "other", shape: undefined };
  let dtype = "other";
  let shape: Dimension[] | undefined;
  for (const { field, value, block: inner } of fieldsOf(tensor)) {
    if (field === 1) dtype = DTYPES[value] ?? "other";
    else if (field === 2) {
      shape = [...fieldsOf(inner)].filter((dim) => dim.field === 1).map(({ block: dim }) => {
        const entry = [...fieldsOf(dim)][0];
        if (entry?.field === 1) return entry.value;
        return entry?.field === 2 ? textOf(entry.block) : "";
      });
    }
  }
  return { name, dtype, shape };
}

const NOTHING = new Uint8Array();

function find(block: Uint8Array, wanted: number): Uint8Array {
  for (const { field, block: inner } of fieldsOf(block)) if (field === wanted) return inner;
  return NOTHING;
}

function textOf(block: Uint8Array): string {
  return new TextDecoder().decode(block);
}

/** One field of a Protocol Buffers message: a number or a block of bytes. */
interface Field {
  readonly field: number;
  readonly value: number;
  readonly block: Uint8Array;
}

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0, factor = 1;
    for (let digits = 0; digits < 10; digits++) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("it ends inside a number");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw new RangeError("a number in it has no end");
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { field, value: varint(), block: NOTHING };
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        if (at + length > bytes.length) throw new RangeError("it is cut off");
        yield { field, value: 0, block: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new RangeError("it is no Protocol Buffers message");
    }
  }
}

// Reads the inputs and outputs of an `.onnx` file without loading the model.
import { createHash } from "node:crypto";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { checkFile } from "../../../runtime/mod.ts";

/** A dimension: fixed, or free with its name, which may be empty. */
export type Dimension = number | string;

export interface OnnxValue {
  readonly name: string;
  /** `float32`, `float16`, `uint8`, `int64`, …; `sequence`, `map`, … for other types than tensors. */
  readonly dtype: string;
  /** Undefined if the file does not contain it. */
  readonly shape: readonly Dimension[] | undefined;
}

export interface OnnxFile {
  readonly producer: string;
  /** Version of the standard operators. */
  readonly opset: number | undefined;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** The exporter's notes by name: labels, sizes, licence. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Files beside it that hold weights, as the model names them, sorted. */
  readonly external: readonly string[];
  /** Of the file, then of the files with weights in their order. Lower-case hexadecimal. */
  readonly sha256: string;
  /** Of all files together. */
  readonly bytes: number;
}

/** As many as the format holds; larger weights stand in files beside it. */
const MOST_BYTES = 2 ** 31;

/** Names of the element types of ONNX, by number. */
const DTYPES = ("other float32 uint8 int8 uint16 int16 int32 int64 string bool " +
  "float16 float64 uint32 uint64 complex64 complex128 bfloat16").split(" ");

/** Types other than tensors, by field number. */
const NO_TENSORS: Readonly<Record<number, string>> = {
  ...{ 4: "sequence", 5: "map", 8: "sparse", 9: "optional" },
};

/** Whether a path from a model or its manifest leads to its folder or below it, as it must. */
export function staysBelow(path: string): boolean {
  return !isAbsolute(path) && !/^\.\.(?:[\\/]|$)/.test(normalize(path));
}

/**
 * Reads an `.onnx` file.
 *
 * @throws {Error} when it, or a file with its weights, cannot be read, or it is not an ONNX model.
 */
export function readOnnx(path: string): OnnxFile {
  let bytes: Uint8Array;
  let model: ReturnType<typeof readModel>;
  try {
    const { size } = checkFile(path);
    if (size > MOST_BYTES) throw new Error(`it has ${size} bytes, expected ${MOST_BYTES} at most`);
    bytes = Deno.readFileSync(path);
    model = readModel(bytes);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Cannot read ${path} as an ONNX model: ${message}`, { cause: error });
  }
  const hash = createHash("sha256").update(bytes);
  let total = bytes.length;
  for (const name of model.external) {
    if (!staysBelow(name)) {
      throw new Error(`Cannot read weights of ${path} from ${name}: expected a file beside it`);
    }
    total += hashFile(hash, join(dirname(path), name), path);
  }
  return { ...model, sha256: hash.digest("hex"), bytes: total };
}

/** Weights may be larger than memory: they are read piece by piece. */
function hashFile(hash: ReturnType<typeof createHash>, path: string, model: string): number {
  try {
    checkFile(path);
    using file = Deno.openSync(path);
    const piece = new Uint8Array(1024 * 1024);
    let total = 0;
    for (let length = file.readSync(piece); length !== null; length = file.readSync(piece)) {
      hash.update(piece.subarray(0, length));
      total += length;
    }
    return total;
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Cannot read weights of ${model} from ${path}: ${message}`, { cause: error });
  }
}

function readModel(bytes: Uint8Array): Omit<OnnxFile, "sha256" | "bytes"> {
  let producer = "", version = "";
  let opset: number | undefined;
  let graph: Uint8Array | undefined;
  const functions: Uint8Array[] = [];
  const metadata: Record<string, string> = {};
  for (const { field, block } of fieldsOf(bytes)) {
    if (field === 2) producer = textOf(block);
    else if (field === 3) version = textOf(block);
    else if (field === 7) graph = block;
    else if (field === 25) functions.push(block);
    else if (field === 8) {
      const set = [...fieldsOf(block)];
      const domain = set.find((entry) => entry.field === 1);
      if (domain === undefined || domain.block.length === 0) {
        opset = set.find((entry) => entry.field === 2)?.value;
      }
    } else if (field === 14) metadata[textOf(find(block, 1))] = textOf(find(block, 2));
  }
  if (graph === undefined) {
    throw new RangeError(bytes.length === 0 ? "it is empty" : "it has no graph");
  }
  const inputs: OnnxValue[] = [], outputs: OnnxValue[] = [];
  const weights = new Set<string>(), external = new Set<string>();
  noteExternal(graph, external);
  for (const one of functions) noteExternal(one, external, "function");
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
    metadata,
    external: [...external].sort(),
  };
}

type Message = "graph" | "sparse" | "node" | "attribute" | "tensor" | "function";
/** Fields of each message that contain tensors, or messages with tensors. */
const TENSORS_IN: Readonly<Record<Message, Readonly<Record<number, Message>>>> = {
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  tensor: {},
  function: { 7: "node", 11: "attribute" },
};

/** Collects the files of all tensors in a message: weights, constants of nodes, those of inner graphs. */
function noteExternal(
  block: Uint8Array,
  external: Set<string>,
  message: Message = "graph",
): void {
  const inner = TENSORS_IN[message];
  for (const { field, block: part } of fieldsOf(block)) {
    if (message === "tensor") {
      if (field !== 13 || textOf(find(part, 1)) !== "location") continue;
      external.add(textOf(find(part, 2)));
    } else if (inner[field] !== undefined) noteExternal(part, external, inner[field]);
  }
}

function readValue(block: Uint8Array): OnnxValue {
  const name = textOf(find(block, 1));
  const type = find(block, 2), tensor = find(type, 1);
  if (tensor.length === 0) {
    const [kind] = fieldsOf(type);
    return { name, dtype: NO_TENSORS[kind?.field ?? 0] ?? "other", shape: undefined };
  }
  let dtype = "other";
  let shape: Dimension[] | undefined;
  for (const { field, value, block: inner } of fieldsOf(tensor)) {
    if (field === 1) dtype = DTYPES[value] ?? "other";
    else if (field === 2) {
      shape = [...fieldsOf(inner)].filter((dim) => dim.field === 1).map(({ block: dim }) => {
        const entry = [...fieldsOf(dim)][0];
        // Some exporters write a free dimension as −1, or as 0.
        if (entry?.field === 1) return entry.value > 0 && entry.value < 2 ** 62 ? entry.value : "";
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
        throw new RangeError("it is not a Protocol Buffers message");
    }
  }
}

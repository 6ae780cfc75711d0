/**
 * The kernels of this thread, and the memory that they work in.
 *
 * @module
 */
import { ModuleBuilder } from "./assembler.ts";
import { addScan, addUnstuff } from "./entropy.ts";
import { addLuma } from "./luma.ts";
import {
  BLOCK_BYTES,
  BLOCKS,
  COEFFICIENTS,
  HEAP,
  PREDICTIONS,
  TABLE_BYTES,
  TABLES,
  ZIGZAG,
} from "./layout.ts";
import { addPixels } from "./pixels.ts";
import { addTransforms } from "./transform.ts";

/** What every module exports. Numbers are addresses and counts; see where each is written. */
export interface Functions {
  unstuff(from: number, to: number): number;
}

/** What makes tensors of pictures. */
export interface TensorFunctions extends Functions {
  scan(
    start: number,
    end: number,
    units: number,
    width: number,
    stride: number,
    from: number,
  ): number;
  colours(luma: number, blue: number, red: number, to: number, end: number): void;
  widen(from: number, to: number, end: number): void;
  across(from: number, taps: number, to: number, end: number): void;
  down(
    upper: number,
    lower: number,
    upperWeight: number,
    lowerWeight: number,
    to: number,
    end: number,
  ): void;
  halve(upper: number, lower: number, to: number, end: number): void;
  pixelsRgb(from: number, to: number, end: number): void;
  pixelsBgr(from: number, to: number, end: number): void;
  planesRgb(from: number, to: number, plane: number, end: number): void;
  planesBgr(from: number, to: number, plane: number, end: number): void;
}

const PAGE = 65_536;

/** The order in which coefficients come: their places in a block, row by row. */
export const NATURAL: readonly number[] = naturalOrder();

function naturalOrder(): number[] {
  const order: number[] = [];
  for (let sum = 0; sum < 15; sum++) {
    const diagonal: number[] = [];
    for (let row = Math.max(0, sum - 7); row <= Math.min(7, sum); row++) {
      diagonal.push(8 * row + sum - row);
    }
    order.push(...(sum % 2 === 0 ? diagonal.reverse() : diagonal));
  }
  return order;
}

/** What takes luma out of pictures. */
export interface LumaFunctions extends Functions {
  note(
    start: number,
    end: number,
    units: number,
    width: number,
    records: number,
    pitch: number,
  ): number;
  gather(
    codes: number,
    record: number,
    across: number,
    down: number,
    pitch: number,
    to: number,
  ): number;
  stuff(from: number, end: number, to: number): number;
}

/** Kernels with their memory. One frame at a time: nothing in it outlives a call from outside. */
export class Kernels<F extends Functions = Functions> {
  readonly functions: F;
  readonly #memory: WebAssembly.Memory;
  #bytes: Uint8Array<ArrayBuffer>;
  #floats: Float32Array<ArrayBuffer>;
  #longs: Int32Array<ArrayBuffer>;
  #used = HEAP;

  /** @param add writes the functions, but for those that all have. */
  constructor(add: (module: ModuleBuilder) => void) {
    const module = new ModuleBuilder();
    addUnstuff(module);
    add(module);
    this.#memory = new WebAssembly.Memory({ initial: HEAP / PAGE });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
      memory: { memory: this.#memory },
    });
    this.functions = instance.exports as unknown as F;
    const buffer = this.#memory.buffer as ArrayBuffer;
    this.#bytes = new Uint8Array(buffer);
    this.#floats = new Float32Array(buffer);
    this.#longs = new Int32Array(buffer);
    this.#bytes.fill(128, ZIGZAG, BLOCKS);
    NATURAL.forEach((place, i) => this.#bytes[ZIGZAG + i + 1] = 2 * place);
    for (let block = 0; block < 6; block++) {
      const at = (BLOCKS + 16 * block) >> 2;
      this.#longs[at + 2] = PREDICTIONS + 4 * Math.max(0, block - 3);
      this.#longs[at + 3] = COEFFICIENTS + BLOCK_BYTES * block;
    }
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  get floats(): Float32Array<ArrayBuffer> {
    return this.#floats;
  }

  get longs(): Int32Array<ArrayBuffer> {
    return this.#longs;
  }

  /** Gives up all that was reserved. */
  clear(): void {
    this.#used = HEAP;
  }

  /** Room for so many bytes until `clear`, at a multiple of 64, with more behind it. */
  reserve(size: number): number {
    const at = this.#used;
    this.#used = (at + size + 127) & ~63;
    const missing = this.#used + PAGE - this.#bytes.length;
    if (missing > 0) {
      this.#memory.grow(Math.ceil(missing / PAGE));
      const buffer = this.#memory.buffer as ArrayBuffer;
      this.#bytes = new Uint8Array(buffer);
      this.#floats = new Float32Array(buffer);
      this.#longs = new Int32Array(buffer);
    }
    return at;
  }

  /** Address of a Huffman table. */
  table(slot: number): number {
    return TABLES + slot * TABLE_BYTES;
  }
}

/** Kernels that make tensors of pictures. */
export function makeTensorKernels(): Kernels<TensorFunctions> {
  return new Kernels((module) => {
    addScan(module, addTransforms(module));
    addPixels(module);
  });
}

let tensorKernels: Kernels<TensorFunctions> | undefined;
let lumaKernels: Kernels<LumaFunctions> | undefined;

/** This thread's kernels that make tensors, made when first asked for. */
export function getTensorKernels(): Kernels<TensorFunctions> {
  return tensorKernels ??= makeTensorKernels();
}

/** This thread's kernels that take luma out, made when first asked for. */
export function getLumaKernels(): Kernels<LumaFunctions> {
  return lumaKernels ??= new Kernels(addLuma);
}

// The kernels of this thread, and the memory that they work in.
import { ownWork } from "../../base/own_work.ts";
import { HuffmanTables } from "./huffman.ts";
import { HEAP, ZIGZAG } from "./layout.ts";

/** What the module exports. Numbers are addresses and counts; see where each is written. */
interface Functions {
  unstuff(from: number, to: number): number;
  decodeHalf(
    start: number,
    end: number,
    mcus: number,
    width: number,
    stride: number,
    from: number,
  ): number;
  findCodes(
    start: number,
    end: number,
    mcus: number,
    blocks: number,
    luma: number,
    width: number,
    records: number,
    pitch: number,
  ): number;
  copyLuma(
    codes: number,
    record: number,
    across: number,
    rows: number,
    pitch: number,
    to: number,
  ): number;
  stuff(from: number, end: number, to: number): number;
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
  pixels(from: number, to: number, end: number, red: number, blue: number): void;
  planes(
    from: number,
    to: number,
    plane: number,
    end: number,
    red: number,
    blue: number,
  ): void;
}

/** Bytes by which memory grows. */
const PAGE = 65_536;
/** Most memory: nothing takes more than the largest JPEG that is repaired, whose codes lie there twice. */
const MAX_BYTES = 40 * 1024 * 1024;
/** Memory that is kept from one call to the next. */
const KEPT_BYTES = 32 * 1024 * 1024;

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

let compiled: WebAssembly.Module | undefined;

/** The kernels, compiled at first use. */
function kernelModule(): WebAssembly.Module {
  return compiled ??= new WebAssembly.Module(
    Deno.readFileSync(new URL("./kernels.wasm", import.meta.url)),
  );
}

/** Kernels with their memory. One frame at a time: nothing but Huffman tables outlives a call. */
export class Kernels {
  readonly functions: Functions;
  readonly tables: HuffmanTables;
  readonly #memory = new WebAssembly.Memory({ initial: HEAP / PAGE, maximum: MAX_BYTES / PAGE });
  /** Views of the memory: others once it has grown. */
  bytes!: Uint8Array<ArrayBuffer>;
  floats!: Float32Array<ArrayBuffer>;
  longs!: Int32Array<ArrayBuffer>;
  #used = HEAP;

  constructor() {
    const instance = new WebAssembly.Instance(kernelModule(), { env: { memory: this.#memory } });
    this.functions = instance.exports as unknown as Functions;
    this.#view();
    this.tables = new HuffmanTables(this);
    this.bytes.fill(128, ZIGZAG, ZIGZAG + 256);
    NATURAL.forEach((place, i) => this.bytes[ZIGZAG + i + 1] = 2 * place);
  }

  #view(): void {
    const buffer = this.#memory.buffer as ArrayBuffer;
    this.bytes = new Uint8Array(buffer);
    this.floats = new Float32Array(buffer);
    this.longs = new Int32Array(buffer);
  }

  /** Gives up all that was reserved. */
  clear(): void {
    this.#used = HEAP;
  }

  /** Room for this many bytes until `clear`, at a multiple of 64, with more behind it. */
  reserve(size: number): number {
    const at = this.#used;
    const used = (at + size + 127) & ~63;
    const missing = used + PAGE - this.bytes.length;
    if (missing > 0) {
      this.#memory.grow(Math.ceil(missing / PAGE));
      this.#view();
    }
    this.#used = used;
    return at;
  }
}

let shared: Kernels | undefined;

/**
 * Works with this thread's kernels, made at first use. Where they trap the result is undefined and the next
 * call gets new ones: nothing that a picture did stays behind.
 */
export function withKernels<T>(use: (kernels: Kernels) => T | undefined): T | undefined {
  const kernels = shared ??= new Kernels();
  try {
    return ownWork(() => use(kernels));
  } catch (error) {
    shared = undefined;
    if (error instanceof WebAssembly.RuntimeError) return undefined;
    throw error;
  } finally {
    if (kernels.bytes.length > KEPT_BYTES) shared = undefined;
  }
}

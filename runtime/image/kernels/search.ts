// Floats that kernels can search: what a model writes is not copied for that.
import { kernelModule, PAGE } from "./kernels.ts";
import { HEAP } from "./layout.ts";

/** Floats that the kernel looks at at once. */
const GROUP = 16;

/** Memory with a kernel of its own. */
interface Searched {
  readonly findFrom: (from: number, end: number, least: number, to: number) => number;
  /** Where the kernel lists what it finds. */
  readonly list: number;
  readonly addresses: Uint32Array;
}

const searched = new WeakMap<ArrayBufferLike, Searched>();

/** Zeros in memory that `indexesFrom` searches faster than any other. */
export function searchableFloats(length: number): Float32Array<ArrayBuffer> {
  const list = HEAP + 4 * GROUP * Math.ceil(length / GROUP);
  const pages = Math.ceil((list + 4 * Math.ceil(length / GROUP)) / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(kernelModule(), { env: { memory } });
  const buffer = memory.buffer as ArrayBuffer;
  searched.set(buffer, {
    findFrom: exports["findFrom"] as Searched["findFrom"],
    list,
    addresses: new Uint32Array(buffer),
  });
  return new Float32Array(buffer, HEAP, length);
}

/** Indexes of the numbers that are at least this large, in order. */
export function indexesFrom(data: ArrayLike<number> & ArrayBufferView, least: number): number[] {
  const found: number[] = [];
  const look = (from: number, end: number) => {
    for (let at = from; at < end; at++) if (data[at]! >= least) found.push(at);
  };
  const memory = data instanceof Float32Array ? searched.get(data.buffer) : undefined;
  const whole = memory === undefined ? 0 : data.length - data.length % GROUP;
  if (memory !== undefined) {
    const { findFrom, list, addresses } = memory;
    const end = findFrom(data.byteOffset, data.byteOffset + 4 * whole, least, list);
    for (const address of addresses.subarray(list >> 2, end >> 2)) {
      const at = (address - data.byteOffset) >> 2;
      look(at, at + GROUP);
    }
  }
  look(whole, data.length);
  return found;
}

// Tensors of any type as numbers.
import type { Activation } from "../manifest_output.ts";
import type { ModelTensor, Samples } from "../session.ts";

export type Numbers = Exclude<Samples, BigInt64Array | BigUint64Array>;

export interface Values {
  readonly data: Numbers;
  readonly shape: readonly number[];
}

/** A tensor as numbers: copied only if its type requires it. */
export function valuesOf({ shape, data }: ModelTensor): Values {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return { data: Float64Array.from(data as ArrayLike<bigint>, Number), shape };
  }
  return { data, shape };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * The part of a tensor for one of several frames, which are its first dimension, or the one after that
 * of the window.
 *
 * @param rank dimensions of the part; a tensor without more is one frame's
 */
export function partOf({ data, shape }: Values, frame: number, frames: number, rank: number) {
  let own = shape, numbers = data;
  while (own.length > rank + 1 && own[0] === 1) own = own.slice(1);
  if (own.length > rank && own[0] === frames) {
    own = own.slice(1);
    const size = sizeOf(own);
    numbers = data.subarray(frame * size, (frame + 1) * size);
  }
  while (own.length > rank && own[0] === 1) own = own.slice(1);
  return { data: numbers, shape: own };
}

/** Rounded: float32 has no more digits. */
export function sixDigits(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

export function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

/** What makes a score of a single number of a model; softmax of one number is 1. */
export function activationOf({ activation }: { readonly activation: Activation }) {
  if (activation === "softmax") return () => 1;
  return activation === "sigmoid" ? sigmoid : (value: number) => value;
}

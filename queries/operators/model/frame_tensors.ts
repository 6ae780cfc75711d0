/**
 * The tensors of the frames that windows still need.
 *
 * @module
 */
import { type Frame, type FrameTensor, pictureOf, Tensorizer } from "../../../runtime/mod.ts";
import type { ModelInput } from "./manifest.ts";
import { frameSpec } from "./window_tensor.ts";

/** Decodes each frame once for each kind of input, however many windows share it. */
export class FrameTensors {
  readonly #tensorizers: readonly Tensorizer[];
  /** For each input which tensorizer serves it: inputs that want the same share one. */
  readonly #which: readonly number[];
  readonly #held = new Map<number, readonly FrameTensor[]>();
  /** How many frames were decoded. */
  decoded = 0;

  constructor(inputs: readonly ModelInput[], reduce: boolean) {
    const specs = inputs.map((input) => JSON.stringify(frameSpec(input, reduce)));
    const different = [...new Set(specs)];
    this.#tensorizers = different.map((spec) => new Tensorizer(JSON.parse(spec)));
    this.#which = specs.map((spec) => different.indexOf(spec));
  }

  /** True when the frame has been decoded. */
  has(offset: number): boolean {
    return this.#held.has(offset);
  }

  /**
   * Decodes a frame, if that was not done yet.
   *
   * @throws {BadFrameError} when it cannot be decoded.
   */
  async add(frame: Frame): Promise<void> {
    if (this.#held.has(frame.offset)) return;
    const picture = await pictureOf(frame);
    const settled = await Promise.allSettled(
      this.#tensorizers.map((tensorizer) => tensorizer.ofPicture(picture)),
    );
    picture.release();
    const tensors = settled.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
    const failed = settled.find((one) => one.status === "rejected");
    if (failed !== undefined) {
      tensors.forEach((tensor) => tensor.release());
      throw failed.reason;
    }
    this.decoded++;
    this.#held.set(frame.offset, tensors);
  }

  /** The tensor of a decoded frame for one of the inputs. */
  get(offset: number, input: number): FrameTensor {
    return this.#held.get(offset)![this.#which[input]!]!;
  }

  /** Gives up all frames below an offset. */
  forgetBelow(offset: number): void {
    for (const [held, tensors] of this.#held) {
      if (held >= offset) continue;
      tensors.forEach((tensor) => tensor.release());
      this.#held.delete(held);
    }
  }
}

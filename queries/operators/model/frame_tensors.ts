// Tensors of frames, shared by windows.
import { type Frame, pictureOf, Tensorizer } from "../../../runtime/mod.ts";
import { type FrameTensor } from "../../../runtime/image/mod.ts";
import type { ModelInput } from "./manifest_input.ts";
import { frameSpec } from "./window_tensor.ts";

/** Decodes frames for a model, once for each kind of input. */
export class FrameDecoder {
  readonly #tensorizers: readonly Tensorizer[];
  /** Index of each input's tensorizer: equal inputs share one. */
  readonly which: readonly number[];

  constructor(inputs: readonly ModelInput[], reduce: boolean) {
    const specs = inputs.map((input) => JSON.stringify(frameSpec(input, reduce)));
    const different = [...new Set(specs)];
    this.which = specs.map((spec) => different.indexOf(spec));
    this.#tensorizers = different.map((spec) => new Tensorizer(JSON.parse(spec)));
  }

  /**
   * Decodes a frame: a tensor for each kind of input, to be released.
   *
   * @throws {BadFrameError} when it cannot be decoded.
   */
  async decode(frame: Frame): Promise<readonly FrameTensor[]> {
    const picture = await pictureOf(frame);
    const settled = await Promise.allSettled(
      this.#tensorizers.map((tensorizer) => tensorizer.ofPicture(picture)),
    );
    picture.release();
    return settled.map((one) => {
      if (one.status === "rejected") throw one.reason;
      return one.value;
    });
  }
}

/** Holds the tensors of frames while windows need them. */
export class FrameTensors {
  readonly #decoder: FrameDecoder;
  readonly #held = new Map<number, readonly FrameTensor[]>();

  constructor(inputs: readonly ModelInput[], reduce: boolean) {
    this.#decoder = new FrameDecoder(inputs, reduce);
  }

  has(offset: number): boolean {
    return this.#held.has(offset);
  }

  /**
   * Decodes a frame once.
   *
   * @throws {BadFrameError} when it cannot be decoded.
   */
  async add(frame: Frame): Promise<void> {
    if (this.#held.has(frame.offset)) return;
    this.#held.set(frame.offset, await this.#decoder.decode(frame));
  }

  /** The tensor of a decoded frame for one of the inputs. */
  get(offset: number, input: number): FrameTensor {
    return this.#held.get(offset)![this.#decoder.which[input]!]!;
  }

  forgetBelow(offset: number): void {
    for (const [held, tensors] of this.#held) {
      if (held >= offset) continue;
      tensors.forEach((tensor) => tensor.release());
      this.#held.delete(held);
    }
  }
}

// A decoded video frame, as pixels: FFmpeg's planes, converted on demand.
import type { Frame } from "node-av";
import type { Channels, RawImage } from "../image/raw.ts";
import { colourSteps, plainColours } from "./colours.ts";
import type { FilterStep } from "./filter.ts";
import type { PictureConverter } from "./picture_converter.ts";

/** A decoded frame, held until the last of its users releases it. */
export class VideoPicture {
  readonly width: number;
  readonly height: number;
  readonly #frame: Frame;
  #steps: readonly FilterStep[] | undefined;
  readonly #converter: PictureConverter;
  readonly #give: (frame: Frame) => void;
  #users = 1;

  /** @param give takes the frame back. */
  constructor(frame: Frame, converter: PictureConverter, give: (frame: Frame) => void) {
    this.#frame = frame;
    this.#converter = converter;
    this.#give = give;
    this.width = frame.width;
    this.height = frame.height;
  }

  /** One more user. */
  retain(): this {
    this.#users++;
    return this;
  }

  /** One user less. */
  release(): void {
    if (--this.#users === 0) this.#give(this.#frame);
  }

  /**
   * FFmpeg's frame, with plain colours; valid until released. They become plain only where a frame is looked
   * at, since each of its properties is a call into FFmpeg.
   */
  get frame(): Frame {
    if (this.#steps === undefined) {
      this.#steps = colourSteps(this.#frame);
      plainColours(this.#frame);
    }
    return this.#frame;
  }

  /** The pixels, at one over `denominator` of the size, rounded up; the image outlives the picture. */
  pixels(channels: Channels, denominator = 1): Promise<RawImage> {
    const width = Math.ceil(this.width / denominator);
    const height = Math.ceil(this.height / denominator);
    return this.#converter.convert(this.frame, this.#steps ?? [], width, height, channels);
  }
}

/**
 * From the images that a query puts out to H.264. Loads FFmpeg: import it when there is something to
 * encode.
 *
 * @module
 */
import type { EncodedPicture, Encoding } from "./encoding.ts";
import { GroupEncoder } from "./h264.ts";
import type { H264Options } from "./h264_options.ts";
import { type Picture, PictureDecoder } from "./picture.ts";

/** Encodes as H.264. */
export class H264Encoding implements Encoding<Picture> {
  readonly #options: H264Options;
  #decoder: Promise<PictureDecoder> | undefined;
  #group: GroupEncoder | undefined;

  constructor(options: H264Options = {}) {
    this.#options = options;
  }

  async prepare(image: Uint8Array): Promise<Picture> {
    this.#decoder ??= PictureDecoder.open();
    return await (await this.#decoder).decode(image);
  }

  async begin({ width, height }: Picture): Promise<string> {
    this.#group?.[Symbol.dispose]();
    this.#group = undefined;
    this.#group = await GroupEncoder.open(width, height, this.#options);
    return this.#group.configuration.toBase64();
  }

  async encode(picture: Picture): Promise<EncodedPicture> {
    return await this.#group!.encode(picture);
  }

  [Symbol.dispose](): void {
    this.#group?.[Symbol.dispose]();
    void this.#decoder?.then((decoder) => decoder[Symbol.dispose]());
  }
}

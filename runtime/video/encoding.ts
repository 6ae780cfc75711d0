/**
 * From the images that a query puts out to the pictures of a video.
 *
 * @module
 */
import { BadFrameError } from "../frame.ts";
import { decodeImage } from "../image/decode.ts";
import { inspectImage } from "../image/inspect.ts";
import { encodeJpeg } from "../image/jpeg.ts";
import { type EncodedPicture, GroupEncoder, type H264Options } from "./h264.ts";
import { type Picture, PictureDecoder } from "./picture.ts";

/** An image, ready to be encoded. */
export interface Prepared {
  readonly width: number;
  readonly height: number;
  release(): void;
}

/**
 * An encoder of pictures in groups: what comes out depends on the pictures since the group began.
 * One lane has one. Images may be prepared while another one is encoded.
 */
export interface Encoding<P extends Prepared = Prepared> extends Disposable {
  /** @throws {BadFrameError} when the image cannot be used. */
  prepare(image: Uint8Array): Promise<P>;
  /** Begins a group with pictures of this size; returns the decoder's configuration as base64. */
  begin(picture: P): Promise<string>;
  encode(picture: P): Promise<EncodedPicture>;
}

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

/** A JPEG as it is. */
interface Jpeg extends Prepared {
  readonly data: Uint8Array;
}

/** Passes JPEGs through; encodes what is none. */
export class JpegEncoding implements Encoding<Jpeg> {
  async prepare(image: Uint8Array): Promise<Jpeg> {
    const info = inspectImage(image);
    const { width, height } = info;
    if (width > 0xffff || height > 0xffff) {
      throw new BadFrameError("too-large", `Cannot put ${width}x${height} pixels into a video`);
    }
    const release = () => {};
    if (info.type === "jpeg") return { width, height, data: image, release };
    const raw = await decodeImage(image, 3, info);
    try {
      return { width, height, data: await encodeJpeg(raw, { quality: 90 }), release };
    } finally {
      raw.release();
    }
  }

  begin(): Promise<string> {
    return Promise.resolve("");
  }

  encode({ data }: Jpeg): Promise<EncodedPicture> {
    return Promise.resolve({ data, key: true });
  }

  [Symbol.dispose](): void {}
}

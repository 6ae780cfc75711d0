/**
 * From the images that a query puts out to Motion JPEG.
 *
 * @module
 */
import { BadFrameError } from "../definition/frame.ts";
import { decodeImage } from "../image/decode.ts";
import { inspectImage } from "../image/inspect.ts";
import { encodeJpeg } from "../image/jpeg.ts";
import type { EncodedPicture, Encoding, Prepared } from "./encoding.ts";

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

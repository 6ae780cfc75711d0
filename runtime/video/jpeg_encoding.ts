// From the images that a query puts out to Motion JPEG.
import { jpegOf, pictureOf } from "../image/picture.ts";
import type { EncodedPicture, Encoding, Prepared } from "./encoding.ts";

/** A JPEG as it is. */
interface Jpeg extends Prepared {
  readonly data: Uint8Array;
}

/** Passes JPEGs through; encodes other pictures. */
export class JpegEncoding implements Encoding<Jpeg> {
  async prepare(value: Uint8Array): Promise<Jpeg> {
    const picture = await pictureOf({ value });
    try {
      const { width, height } = picture;
      return { width, height, data: await jpegOf(picture, 90), release: () => {} };
    } finally {
      picture.release();
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

// The kinds of image files that a folder holds: one row each, made by `sharp`.
import type { Sharp } from "sharp";

/** A kind of image file. */
export interface ImageKind {
  readonly file: string;
  readonly make: (picture: Sharp) => Sharp;
  /** What follows the end of the image. */
  readonly tail?: string;
  /** `ffmpeg`'s filters that turn it upright; absent: it passes byte for byte. */
  readonly turn?: string;
}

/** What EXIF data ask for, and `ffmpeg`'s way to do it. */
const TURNS: Readonly<Record<number, string>> = {
  2: "hflip",
  3: "hflip,vflip",
  4: "vflip",
  5: "transpose=cclock_flip",
  6: "transpose=clock",
  7: "transpose=clock_flip",
  8: "transpose=cclock",
};

function turned(orientation: number, file: string, make: (picture: Sharp) => Sharp): ImageKind {
  return {
    file,
    make: (picture) => make(picture.withMetadata({ orientation })),
    turn: TURNS[orientation]!,
  };
}

export const IMAGE_KINDS: Readonly<Record<string, ImageKind>> = {
  "JPEG": { file: "a.jpg", make: (picture) => picture.jpeg() },
  "JPEG, progressive, 4:4:4": {
    file: "p.jpeg",
    make: (picture) => picture.jpeg({ progressive: true, chromaSubsampling: "4:4:4" }),
  },
  "JPEG without colours": { file: "g.jpg", make: (picture) => picture.greyscale().jpeg() },
  "JPEG of CMYK": { file: "c.jpg", make: (picture) => picture.toColourspace("cmyk").jpeg() },
  "JPEG of P3": { file: "3.jpe", make: (picture) => picture.withIccProfile("p3").jpeg() },
  "JPEG with a trailer": {
    file: "t.jfif",
    make: (picture) => picture.jpeg(),
    tail: "SEFT\x00\x01",
  },
  "PNG": { file: "a.png", make: (picture) => picture.png() },
  "PNG of P3": { file: "3.png", make: (picture) => picture.withIccProfile("p3").png() },
  "PNG of 16 bits": { file: "16.png", make: (picture) => picture.toColourspace("rgb16").png() },
  "PNG with alpha, interlaced": {
    file: "i.png",
    make: (picture) => picture.ensureAlpha(0.5).png({ progressive: true }),
  },
  "PNG with a palette": { file: "l.png", make: (picture) => picture.png({ palette: true }) },
  "PNG with a newline behind it": { file: "n.png", make: (picture) => picture.png(), tail: "\n" },
  "WebP": { file: "a.webp", make: (picture) => picture.webp() },
  "WebP with alpha, lossless": {
    file: "l.webp",
    make: (picture) => picture.ensureAlpha(0.5).webp({ lossless: true }),
  },
  ...Object.fromEntries(
    Object.keys(TURNS).map((orientation) => [
      `JPEG, EXIF orientation ${orientation}`,
      turned(Number(orientation), "o.jpg", (picture) => picture.jpeg({ quality: 100 })),
    ]),
  ),
  "PNG, EXIF orientation 6": turned(6, "o.png", (picture) => picture.png()),
  "WebP, EXIF orientation 8": turned(8, "o.webp", (picture) => picture.webp({ lossless: true })),
};

/** Frames of every pixel format with every tag of colours, named or not: each becomes a picture. */
import assert from "node:assert/strict";
import * as av from "node-av";
import "../../cameras/video/input.ts";
import { toJpeg } from "../../cameras/video/images.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { PictureConverter } from "../../runtime/video/picture_converter.ts";

/** The first one with every tag, the others with some. */
const FORMATS = [
  "AV_PIX_FMT_YUV420P",
  "AV_PIX_FMT_YUV420P10LE",
  "AV_PIX_FMT_BAYER_RGGB8",
  "AV_PIX_FMT_GBRP10LE",
  "AV_PIX_FMT_GRAY10LE",
  "AV_PIX_FMT_GRAY8",
  "AV_PIX_FMT_MONOBLACK",
  "AV_PIX_FMT_NV12",
  "AV_PIX_FMT_P010LE",
  "AV_PIX_FMT_RGB24",
  "AV_PIX_FMT_RGBA",
  "AV_PIX_FMT_UYVY422",
  "AV_PIX_FMT_XYZ12LE",
  "AV_PIX_FMT_YUV410P",
  "AV_PIX_FMT_YUV422P12LE",
  "AV_PIX_FMT_YUV444P16LE",
  "AV_PIX_FMT_YUVA420P",
  "AV_PIX_FMT_YUVJ420P",
  "AV_PIX_FMT_YUYV422",
] as const;

/** Numbers of ITU-T H.273 for matrix, transfer and primaries; 2: unnamed. */
type Tags = readonly [matrix: number, transfer: number, primaries: number];

const upTo = (last: number) => Array.from({ length: last + 1 }, (_, i) => i);
const PRIMARIES = [0, 1, 2, 5, 9, 12, 22];
const EVERY: readonly Tags[] = [
  ...upTo(20).map((matrix): Tags => [matrix, 2, 2]),
  ...upTo(20).map((transfer): Tags => [9, transfer, 9]),
  ...PRIMARIES.flatMap((primaries) =>
    [1, 8, 10, 12, 13, 14].flatMap((matrix) =>
      [1, 2, 13, 16, 18].map((transfer): Tags => [matrix, transfer, primaries])
    )
  ),
];
const SOME: readonly Tags[] = [[8, 2, 2], [14, 18, 2], [1, 13, 12]];

Deno.test("every pixel format and every tag of colours gives a picture", async () => {
  const faults: string[] = [];
  for (const size of [undefined, { width: 24, height: 20 }]) {
    const turning = [["transpose", "dir=clock"]] as const;
    const converter = new PictureConverter();
    for (const name of size === undefined ? FORMATS.slice(0, 1) : FORMATS) {
      for (const tags of size === undefined ? EVERY : SOME) {
        const frame = new av.Frame();
        frame.alloc();
        [frame.width, frame.height, frame.format] = [48, 32, av[name]];
        assert.ok(frame.getBuffer(0) >= 0);
        for (const plane of frame.data!) plane.fill(40);
        const [matrix, transfer, primaries] = tags;
        frame.colorSpace = matrix as av.AVColorSpace;
        frame.colorTrc = transfer as av.AVColorTransferCharacteristic;
        frame.colorPrimaries = primaries as av.AVColorPrimaries;
        frame.setFlags(av.AV_FRAME_FLAG_INTERLACED);
        try {
          const settings = size === undefined ? {} : { size };
          const { value } = await toJpeg(frame, turning, converter, settings);
          const { width, height } = inspectImage(value);
          assert.deepEqual({ width, height }, size ?? { width: 32, height: 48 });
        } catch (error) {
          faults.push(`${name} ${tags}: ${error}`);
        }
        frame.free();
      }
    }
    converter.close();
  }
  assert.deepEqual(faults, []);
});

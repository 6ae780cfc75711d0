/** Frames with pictures that can be decoded, for the tests of video. */
import type { Frame } from "../../../runtime/definition/frame.ts";
import { encodeJpeg } from "../../../runtime/image/jpeg.ts";
import { GroupTracker } from "../../../runtime/video/groups.ts";
import { accessUnits } from "../../support/access_units.ts";

export const WIDTH = 32;
export const HEIGHT = 24;

/** Pictures with something that moves, made once. */
const pictures = await Promise.all(
  Array.from({ length: 60 }, (_, offset) => {
    const data = new Uint8Array(WIDTH * HEIGHT);
    for (let i = 0; i < data.length; i++) data[i] = (i * 3 + offset * 11) & 255;
    return encodeJpeg({ data, width: WIDTH, height: HEIGHT, channels: 1 }, { quality: 70 });
  }),
);

/** A frame of a camera with 25 frames/s, not quite regular. */
export function filmed(partition: number, offset: number): Frame {
  return {
    topic: "VideoStreaming",
    partition,
    offset,
    timestamp: 1_700_000_000_000 + offset * 40 + offset % 3,
    key: null,
    headers: { label: `label ${offset % 3}` },
    value: pictures[offset % pictures.length]!,
  };
}

/** Access units of a camera, in groups of seven, with what they hang on known. */
const units = await accessUnits({ frames: 56, gop: 7, width: WIDTH, height: HEIGHT });
const tracker = new GroupTracker(() => {});
for (const [offset, value] of units.entries()) {
  tracker.take({ ...filmed(0, offset), value, headers: { "content-type": "video/h264" } });
}

/** A frame of a camera whose H.264 came as it was. */
export function filmedUnit(partition: number, offset: number): Frame {
  const frame = filmed(partition, offset);
  return {
    ...frame,
    headers: { ...frame.headers, "content-type": "video/h264" },
    value: units[offset % units.length]!,
  };
}

/**
 * Frames with another picture or more findings than they came with.
 *
 * @module
 */
import {
  type Color,
  decodeImage,
  drawLabelledBox,
  encodeJpeg,
  type Frame,
  type ImageInfo,
  inspectImage,
  type RawImage,
  type Result,
  withOrientation,
} from "../../runtime/mod.ts";

/** The frame with a picture of the same size in place of its own. */
export function withPicture(frame: Frame, jpeg: Uint8Array, info: ImageInfo): Frame {
  const headers = {
    ...frame.headers,
    "content-type": "image/jpeg",
    width: String(info.width),
    height: String(info.height),
  };
  return { ...frame, value: jpeg, headers };
}

/** Encodes what an image was decoded to, to be viewed the same way up. */
export async function encodeLike(
  info: ImageInfo,
  image: RawImage,
  quality: number,
): Promise<Uint8Array> {
  return orientLike(info, await encodeJpeg(image, { quality }));
}

/** A JPEG made from the pixels of an image, to be viewed the same way up. */
export function orientLike({ orientation = 1 }: ImageInfo, jpeg: Uint8Array): Uint8Array {
  return orientation === 1 ? jpeg : withOrientation(jpeg, orientation);
}

/**
 * The frame with findings added to those that it has: scores of the same name are replaced, objects
 * are appended.
 */
export function withResult(frame: Frame, result: Result): Frame {
  const before = frame.result;
  if (before === undefined) return { ...frame, result };
  const scores = { ...before.scores, ...result.scores };
  const frames = mergeFrames(before.frames, result.frames);
  return {
    ...frame,
    result: {
      ...before,
      ...result,
      ...(Object.keys(scores).length > 0 ? { scores } : {}),
      ...(frames.length > 0 ? { frames } : {}),
    },
  };
}

function mergeFrames(
  before: Result["frames"] = [],
  added: Result["frames"] = [],
): NonNullable<Result["frames"]> {
  const merged = new Map(before.map((entry) => [entry.offset, entry]));
  for (const entry of added) {
    const old = merged.get(entry.offset);
    const objects = [...old?.objects ?? [], ...entry.objects ?? []];
    merged.set(entry.offset, { ...old, ...entry, ...(objects.length > 0 ? { objects } : {}) });
  }
  return [...merged.values()];
}

/** The frame with something drawn on its picture; its header `drawn` says so. */
export async function drawnOn(
  frame: Frame,
  draw: (image: RawImage) => void,
  quality = 80,
): Promise<Frame> {
  const info = inspectImage(frame.value);
  const image = await decodeImage(frame.value, 3, info);
  try {
    draw(image);
    const picture = withPicture(frame, await encodeLike(info, image, quality), info);
    return { ...picture, headers: { ...picture.headers, drawn: "results" } };
  } finally {
    image.release();
  }
}

/** Draws what was found: a box and a name each. */
export function drawObjects(
  image: RawImage,
  objects: readonly {
    readonly label: string;
    readonly score: number;
    readonly box: readonly [number, number, number, number];
  }[],
  color: Color | ((label: string) => Color),
): void {
  for (const { label, score, box } of objects) {
    const shade = typeof color === "function" ? color(label) : color;
    drawLabelledBox(image, box, `${label} ${score.toFixed(2)}`, shade);
  }
}

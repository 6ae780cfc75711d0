/**
 * Frames with another picture or more findings than they came with.
 *
 * @module
 */
import {
  decodeImage,
  encodeJpeg,
  type Frame,
  type FrameResult,
  type ImageInfo,
  inspectImage,
  isFinding,
  type Output,
  type RawImage,
  type Result,
  withOrientation,
} from "../../runtime/mod.ts";

/** The picture of an output: itself, or the one that a finding shows. */
export function pictureOf(output: Output): Frame | undefined {
  return isFinding(output) ? output.picture : output;
}

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
 * An output with findings added to those that it has: what has a name (scores, zones, counts, data)
 * replaces what had the same name, objects are appended.
 */
export function withResult<T extends Output>(output: T, added: Result): T {
  return { ...output, result: mergeResults(output.result ?? {}, added) };
}

/** Two results of the same output as one; see {@linkcode withResult}. */
export function mergeResults(before: Result, added: Result): Result {
  const frames = mergeFrames(before.frames, added.frames);
  return {
    ...before,
    ...added,
    ...named("scores", before, added),
    ...(frames.length > 0 ? { frames } : {}),
    ...named("zones", before, added),
    ...named("counts", before, added),
    ...named("data", before, added),
  };
}

function named<K extends string>(
  field: K,
  before: { readonly [key in K]?: object },
  added: { readonly [key in K]?: object },
): object {
  if (before[field] === undefined || added[field] === undefined) return {};
  return { [field]: { ...before[field], ...added[field] } };
}

function mergeFrames(
  before: readonly FrameResult[] = [],
  added: readonly FrameResult[] = [],
): readonly FrameResult[] {
  if (before.length === 0 || added.length === 0) return before.length === 0 ? added : before;
  const merged = new Map(before.map((entry) => [entry.offset, entry]));
  for (const entry of added) {
    const old = merged.get(entry.offset);
    if (old === undefined) {
      merged.set(entry.offset, entry);
      continue;
    }
    const objects = [...old.objects ?? [], ...entry.objects ?? []];
    merged.set(entry.offset, {
      ...old,
      ...entry,
      ...named("scores", old, entry),
      ...(old.objects !== undefined || entry.objects !== undefined ? { objects } : {}),
      ...named("data", old, entry),
    });
  }
  return [...merged.values()].sort((a, b) => a.offset - b.offset);
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

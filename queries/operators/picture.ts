// Frames with another picture or more findings than they came with.
import {
  encodeJpeg,
  type Frame,
  type FrameResult,
  isFinding,
  type Output,
  type Picture,
  pictureOf,
  type RawImage,
  type Result,
} from "../../runtime/mod.ts";
import { imageHeaders, upright } from "../../runtime/image/mod.ts";

/** The frame that an output shows: itself, or the one of a finding. */
export function shownFrame(output: Output): Frame | undefined {
  return isFinding(output) ? output.picture : output;
}

/** The frame with a picture of the same size in place of its own. */
export function withPicture(
  frame: Frame,
  jpeg: Uint8Array,
  { width, height }: Pick<Picture, "width" | "height">,
): Frame {
  const size = { width: String(width), height: String(height) };
  return { ...frame, value: jpeg, headers: { ...imageHeaders(frame.headers), ...size } };
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
  const picture = await pictureOf(frame);
  try {
    const image = await picture.pixels(3);
    try {
      draw(image);
      const jpeg = upright(await encodeJpeg(image, { quality }), picture);
      const drawn = withPicture(frame, jpeg, picture);
      return { ...drawn, headers: { ...drawn.headers, drawn: "results" } };
    } finally {
      image.release();
    }
  } finally {
    picture.release();
  }
}

// Replaces pictures of frames, and adds findings to results.
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

/** The frame that an output shows: itself, or the picture of a finding. */
export function shownFrame(output: Output): Frame | undefined {
  return isFinding(output) ? output.picture : output;
}

/** Shows another picture. */
export function withShown<T extends Output>(output: T, picture: Frame): T {
  return isFinding(output) ? { ...output, picture } : { ...output, ...picture };
}

/** Replaces the picture of a frame with one of the same size. */
export function withPicture(
  frame: Frame,
  jpeg: Uint8Array,
  { width, height }: Pick<Picture, "width" | "height">,
): Frame {
  const size = { width: String(width), height: String(height) };
  return { ...frame, value: jpeg, headers: { ...imageHeaders(frame.headers), ...size } };
}

/** Adds findings to an output: named values replace those of the same name, objects append. */
export function withResult<T extends Output>(output: T, added: Result): T {
  return { ...output, result: mergeResults(output.result ?? {}, added) };
}

/** Merges two results of the same output; see {@linkcode withResult}. */
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

/** Draws on the picture of a frame, and sets its header `drawn`. */
export async function drawnOn(
  frame: Frame,
  draw: (image: RawImage) => void,
  quality = 80,
): Promise<Frame> {
  const picture = await pictureOf(frame);
  const image = await picture.pixels(3).finally(() => picture.release());
  try {
    draw(image);
    const jpeg = upright(await encodeJpeg(image, { quality }), picture);
    const drawn = withPicture(frame, jpeg, picture);
    return { ...drawn, headers: { ...drawn.headers, drawn: "results" } };
  } finally {
    image.release();
  }
}

// Replaces pictures of frames, and adds findings to results.
import {
  type Frame,
  type FrameResult,
  isFinding,
  type Output,
  type Picture,
  type Result,
} from "../../runtime/mod.ts";
import { imageHeaders } from "../../runtime/image/mod.ts";

/** The frame that an output shows: itself, or the picture of a finding. */
export function shownFrame(output: Output): Frame | undefined {
  return isFinding(output) ? output.picture : output;
}

/** Shows another picture. */
export function withShown<T extends Output>(output: T, picture: Frame): T {
  return isFinding(output) ? { ...output, picture } : { ...output, ...picture };
}

/** Replaces the picture of a frame with an encoded image of this size. */
export function withPicture(
  frame: Frame,
  value: Uint8Array,
  { width, height }: Pick<Picture, "width" | "height">,
  contentType = "image/jpeg",
): Frame {
  const size = { width: String(width), height: String(height) };
  return { ...frame, value, headers: { ...imageHeaders(frame.headers, contentType), ...size } };
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

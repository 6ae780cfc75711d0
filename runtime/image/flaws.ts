// What can be wrong with an encoded image, and what becomes of it: one table for every road that a
// frame takes (cameras, kernels, libjpeg-turbo, libvips).
import { BadFrameError } from "../definition/frame.ts";

/**
 * For each flaw `repaired`, where the picture is there whole and every sample is as it was encoded, or
 * the reason of a dead letter. What FFmpeg, OpenCV and Pillow make of the same bytes stands in
 * `docs/decisions/jpeg-flaws.md`.
 */
export const FLAWS = {
  /** Bytes behind the end marker: phones' second pictures, padding of records. */
  "trailer": "repaired",
  /** No end marker, all codes there. */
  "end-missing": "repaired",
  /** Bytes between two segments before the picture, which no segment holds. */
  "stray-before-segment": "repaired",
  /** Bytes all alike between the last code and a restart or end marker. */
  "fill-before-marker": "repaired",
  /** Bytes before the start marker: no other decoder than FFmpeg takes them. */
  "stray-before-start": "unsupported-type",
  /** A segment whose length and content disagree, or that may not stand where it does. */
  "segment": "corrupt",
  /** The file ends before its picture. */
  "cut": "corrupt",
  /** Codes that are invalid, missing, or continue where they should end. */
  "codes": "corrupt",
  /** The height stands behind the picture (DNL). */
  "height-missing": "corrupt",
  /** Lossless, arithmetic and hierarchical coding, more than 8 bits, 2 or more than 4 components. */
  "coding": "unsupported-type",
  /** More pixels, scans or memory than a decoder gets. */
  "work": "too-large",
} as const;

/** A flaw by its name in the table. */
export type Flaw = keyof typeof FLAWS;

/** The error of a flaw that is not repaired. */
export function refusal(
  flaw: { [F in Flaw]: typeof FLAWS[F] extends "repaired" ? never : F }[Flaw],
  message: string,
  options?: ErrorOptions,
): BadFrameError {
  return new BadFrameError(FLAWS[flaw], message, options);
}

const repairs = new WeakMap<Uint8Array, Set<Flaw>>();

/** Remembers what was repaired while an image was decoded. */
export function noteRepairs(image: Uint8Array, flaws: Iterable<Flaw>): void {
  const noted = repairs.get(image);
  if (noted === undefined) repairs.set(image, new Set(flaws));
  else for (const flaw of flaws) noted.add(flaw);
}

/** What was repaired of an image so far, by its array. */
export function repairsOf(image: Uint8Array): ReadonlySet<Flaw> | undefined {
  return repairs.get(image);
}

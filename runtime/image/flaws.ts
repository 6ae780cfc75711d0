// Flaws of encoded images and how they are handled: one table for cameras, kernels, libjpeg-turbo and
// libvips.
import { BadFrameError } from "../definition/frame.ts";

/**
 * For each flaw: `repaired` if the picture is complete and every sample is as encoded, otherwise the reason
 * of the dead letter. `docs/decisions/jpeg-flaws.md` compares FFmpeg, OpenCV and Pillow on the same bytes.
 */
export const FLAWS = {
  /** Bytes after the end marker: second pictures of phones, padding of records. */
  "trailer": "repaired",
  /** No end marker, but all codes. */
  "end-missing": "repaired",
  /** Bytes between two segments before the picture that belong to no segment. */
  "stray-before-segment": "repaired",
  /** Repeated fill bytes between the last code and a restart or end marker. */
  "fill-before-marker": "repaired",
  /** Bytes before the start marker: only FFmpeg accepts them. */
  "stray-before-start": "unsupported-type",
  /** A segment whose length and content disagree, or in an invalid place. */
  "segment": "corrupt",
  /** The file ends before its picture does. */
  "cut": "corrupt",
  /** Codes that are invalid, missing, or continue where they should end. */
  "codes": "corrupt",
  /** The height comes after the picture (DNL). */
  "height-missing": "corrupt",
  /** Lossless, arithmetic or hierarchical coding; more than 8 bits; 2 or more than 4 components. */
  "coding": "unsupported-type",
  /** More pixels, segments, scans or memory than allowed. */
  "work": "too-large",
} as const;

/** Name of a flaw. */
export type Flaw = keyof typeof FLAWS;

/** The error for a flaw that is not repaired. */
export function refusal(
  flaw: { [F in Flaw]: typeof FLAWS[F] extends "repaired" ? never : F }[Flaw],
  message: string,
  options?: ErrorOptions,
): BadFrameError {
  return new BadFrameError(FLAWS[flaw], message, options);
}

const repairs = new WeakMap<Uint8Array, Set<Flaw>>();

/** Records repairs made while decoding an image. */
export function noteRepairs(image: Uint8Array, flaws: Iterable<Flaw>): void {
  const noted = repairs.get(image);
  if (noted === undefined) repairs.set(image, new Set(flaws));
  else for (const flaw of flaws) noted.add(flaw);
}

/** Repairs of an image so far, by its array. */
export function repairsOf(image: Uint8Array): ReadonlySet<Flaw> | undefined {
  return repairs.get(image);
}

// Zones and lines: what is watched in a camera's picture.
import type { Result } from "./frame.ts";

/** Across and down, as fractions of the picture from its left and its top. */
export type Point = readonly [number, number];

/** A part of the picture. */
export interface Zone {
  readonly name: string;
  /** Its corners, three or more. */
  readonly polygon: readonly Point[];
  /** Only objects with these labels count; all where it is absent. */
  readonly labels?: readonly string[];
  /** An object that is in it for this long loiters. */
  readonly loiterMs?: number;
}

/** A line that objects cross. */
export interface Line {
  readonly name: string;
  readonly from: Point;
  readonly to: Point;
  readonly labels?: readonly string[];
}

/** What is watched in a picture. */
export interface Places {
  readonly zones: readonly Zone[];
  readonly lines: readonly Line[];
}

/** A result with the places that its query watches, as people are shown it. */
export type Findings = Result & { readonly places?: Places };

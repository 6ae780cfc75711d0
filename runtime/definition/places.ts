// Zones and lines in a camera's picture.
import { shown } from "../base/options.ts";
import type { Result } from "./frame.ts";

/** x and y as fractions of the picture, from its top left corner. */
export type Point = readonly [number, number];

/** A watched area of the picture. */
export interface Zone {
  readonly name: string;
  /** Three corners or more. */
  readonly polygon: readonly Point[];
  /** The labels of objects that count; all by default. */
  readonly labels?: readonly string[];
  /** After this long in the zone, an object loiters. */
  readonly loiterMs?: number;
}

/** A line that objects cross. */
export interface Line {
  readonly name: string;
  readonly from: Point;
  readonly to: Point;
  readonly labels?: readonly string[];
}

/** The watched zones and lines of a picture. */
export interface Places {
  readonly zones: readonly Zone[];
  readonly lines: readonly Line[];
}

/** A remark for each zone or line with labels that no object has. */
export function labelRemarks({ zones, lines }: Places, known: readonly string[]): string[] {
  return [...zones, ...lines].flatMap(({ name, labels = [] }) => {
    const unknown = labels.filter((label) => !known.includes(label)).map(shown);
    if (unknown.length === 0) return [];
    return [
      `Zone or line ${name} never counts ${unknown.join(", ")}: the model knows ${
        known.join(", ")
      }`,
    ];
  });
}

/** A result with the zones and lines that its query watches, for display. */
export type Findings = Result & { readonly places?: Places };

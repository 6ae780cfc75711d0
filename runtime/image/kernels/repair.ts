// Repairs JPEGs whose picture is complete.
import { ownWork } from "../../base/own_work.ts";
import { type Flaw, noteRepairs } from "../flaws.ts";
import { countScans, EOI, readJpegHeaders } from "../jpeg_headers.ts";
import { type JpegHeader, readJpegHeader } from "./jpeg_header.ts";
import { type Kernels, withKernels } from "./kernels.ts";
import { enterScan, readScan, type Segment } from "./scan.ts";

/** Larger files are not repaired: reading their codes would hold the thread, bytes. */
const MOST_BYTES = 16 * 1024 * 1024;

/** What is wrong with a JPEG, and what a good one of the same codes consists of. */
interface Repairs {
  readonly flaws: readonly Flaw[];
  /** The parts to keep, as pairs: from, to. */
  readonly kept: readonly number[];
  readonly addEnd: boolean;
}

/** Remembers what a kernel read over. */
export function noteSegments(
  jpeg: Uint8Array,
  { hasStray }: JpegHeader,
  segments: readonly Segment[],
): void {
  const flaws = segments.flatMap(({ flaw }) => flaw ?? []);
  if (hasStray) flaws.push("stray-before-segment");
  if (flaws.length > 0) noteRepairs(jpeg, flaws);
}

/**
 * What `repaired` mends: none where the bytes are good as they are.
 *
 * @returns undefined where codes are damaged or missing
 * @throws {BadFrameError} where the headers cannot be read.
 */
export function repairableFlaws(jpeg: Uint8Array): readonly Flaw[] | undefined {
  return ownWork(() => findRepairs(jpeg)?.flaws);
}

/** Of a baseline JPEG of one scan every code is read; of others only the segments. */
function findRepairs(jpeg: Uint8Array): Repairs | undefined {
  const { stray, start } = readJpegHeaders(jpeg);
  const flaws = new Set<Flaw>();
  const kept = [0, ...stray, start];
  if (stray.length > 0) flaws.add("stray-before-segment");
  const header = jpeg.length <= MOST_BYTES ? readJpegHeader(jpeg) : undefined;
  const segments = header && withKernels((kernels) => findSegments(kernels, header, jpeg));
  if (header !== undefined && segments === undefined) return undefined;
  let end: number | undefined;
  if (segments === undefined) {
    end = countScans(jpeg, start, Infinity).end;
    kept.push(start, end ?? jpeg.length);
  } else {
    for (const { from, codes, marker, next, flaw } of segments) {
      if (flaw !== undefined) flaws.add(flaw);
      kept.push(from, codes, marker, next);
    }
    end = segments.at(-1)!.next;
    if (end > jpeg.length) end = undefined;
  }
  if (end === undefined) flaws.add("end-missing");
  else if (end < jpeg.length) flaws.add("trailer");
  return { flaws: [...flaws], kept, addEnd: end === undefined };
}

/**
 * Takes out what belongs to no segment and to no code, and puts an end marker where there is none.
 *
 * @returns undefined where there is nothing to repair, or nothing that can be
 * @throws {BadFrameError} where the headers cannot be read.
 */
export function repaired(jpeg: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  return ownWork(() => {
    const repairs = findRepairs(jpeg);
    if (repairs === undefined || repairs.flaws.length === 0) return undefined;
    noteRepairs(jpeg, repairs.flaws);
    return joined(jpeg, repairs);
  });
}

/** Where segments lie in the file; undefined where their codes do not make a picture. */
function findSegments(kernels: Kernels, header: JpegHeader, jpeg: Uint8Array) {
  const scan = enterScan(kernels, header, jpeg);
  if (scan === undefined) return undefined;
  const { findCodes } = kernels.functions;
  const segments = readScan(
    kernels,
    scan,
    header,
    (start, end, mcus) => findCodes(start, end, mcus, scan.blocks, 0, header.mcusAcross, 0, 0),
  );
  const offset = header.start - scan.input;
  let from = header.start;
  return segments?.map(({ fill, marker, next, flaw }) => {
    const segment = {
      from,
      codes: marker + offset - fill,
      marker: marker + offset,
      next: next + offset,
      flaw,
    };
    from = segment.next;
    return segment;
  });
}

function joined(jpeg: Uint8Array, { kept, addEnd }: Repairs): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(jpeg.length + 2);
  let length = 0;
  for (let i = 0; i < kept.length; i += 2) {
    const part = jpeg.subarray(kept[i]!, kept[i + 1]!);
    whole.set(part, length);
    length += part.length;
  }
  if (addEnd) whole.set([0xff, EOI], length);
  return whole.slice(0, addEnd ? length + 2 : length);
}

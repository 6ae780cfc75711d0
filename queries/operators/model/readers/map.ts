// Reads segmentation maps: areas, and a mask.
import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";
import type { Placement } from "../../../../runtime/image/mod.ts";
import type { MapOutput } from "../manifest_output.ts";
import { activationOf, type Numbers, partOf, sixDigits, valuesOf } from "./numbers.ts";
import { type OutputReader, unreadable } from "./reader.ts";

/** Reads the share of the frame that each class covers; with `mask` the classes themselves. */
export function mapReader(output: MapOutput): OutputReader {
  const { name } = output;
  return {
    fetches: [name],
    read(outputs, { frames, placements, input }) {
      const tensor = outputs.get(name)!;
      const values = valuesOf(tensor);
      // Integers are class numbers, unless there is only one class.
      const rank = /^u?int/.test(tensor.dtype) && output.labels?.length !== 1 ? 2 : 3;
      const masks: string[] = [];
      const readings = placements.map((placement, frame) => {
        const { data, shape } = partOf(values, frame, frames, rank);
        const map = classesOf(output, data, shape);
        const part = contentOf(map, placement, input);
        if (output.mask) masks.push(pngOf(part).toString("base64"));
        return { scores: areasOf(output, part, map.kinds) };
      });
      const scores = frames === 1 ? { scores: readings[0]!.scores } : {};
      return {
        ...scores,
        ...(frames > 1 ? { frames: readings } : {}),
        ...(output.mask ? { data: { masks: { [name]: masks } } } : {}),
      };
    },
  };
}

interface ClassMap {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

function classesOf(
  output: MapOutput,
  data: Numbers,
  shape: readonly number[],
): ClassMap & { readonly kinds: number } {
  const { name, labels, threshold } = output;
  const activate = activationOf(output);
  if (shape.length === 2) {
    const [height, width] = shape as [number, number];
    const map = Uint8Array.from(data);
    const wrong = map.findIndex((kind, at) => kind !== data[at]);
    if (wrong >= 0) {
      throw unreadable(name, shape, `class numbers from 0 to 255, given ${data[wrong]}`);
    }
    return { data: map, width, height, kinds: labels?.length ?? 256 };
  }
  const [first, second, third] = shape;
  if (first === undefined || second === undefined || third === undefined || shape.length > 3) {
    throw unreadable(name, shape, "a map of 2 or 3 dimensions for each frame");
  }
  // Classes are the first or the last dimension.
  const isLast = labels !== undefined ? third === labels.length && first !== third : third < first;
  const [kinds, height, width] = isLast ? [third, first, second] : [first, second, third];
  if (kinds > 256 || (labels !== undefined && kinds !== labels.length && kinds !== 1)) {
    throw unreadable(name, shape, `${labels?.length ?? "up to 256"} classes for each spot`);
  }
  const plane = width * height, step = isLast ? kinds : 1, apart = isLast ? 1 : plane;
  const map = new Uint8Array(plane);
  for (let cell = 0; cell < plane; cell++) {
    let best = cell * step, kind = 0;
    if (kinds === 1) {
      map[cell] = activate(data[best]!) >= threshold ? 1 : 0;
      continue;
    }
    for (let k = 1, at = best + apart; k < kinds; k++, at += apart) {
      if (data[at]! > data[best]!) best = at, kind = k;
    }
    map[cell] = kind;
  }
  return { data: map, width, height, kinds: kinds === 1 ? 2 : kinds };
}

/** The part of the map that shows the frame, without the bars of a letterbox. */
function contentOf(
  { data, width, height }: ClassMap,
  { content }: Placement,
  input: { readonly width: number; readonly height: number },
): ClassMap {
  const x = (value: number) => Math.round(value * width / input.width);
  const y = (value: number) => Math.round(value * height / input.height);
  const left = x(content.left), top = y(content.top);
  const right = Math.max(left + 1, x(content.left + content.width));
  const bottom = Math.max(top + 1, y(content.top + content.height));
  const part = new Uint8Array((right - left) * (bottom - top));
  for (let row = top; row < bottom; row++) {
    const from = row * width;
    part.set(data.subarray(from + left, from + right), (row - top) * (right - left));
  }
  return { data: part, width: right - left, height: bottom - top };
}

function areasOf({ name, labels }: MapOutput, { data }: ClassMap, kinds: number) {
  const counts = new Uint32Array(kinds);
  for (let i = 0; i < data.length; i++) counts[data[i]!]!++;
  // A single channel shows one class.
  const first = kinds === 2 && labels?.length !== 2 ? 1 : 0;
  const scores: Record<string, number> = {};
  for (let kind = first; kind < kinds; kind++) {
    const label = first === 1 ? labels?.[0] ?? name : labels?.[kind] ?? `class ${kind}`;
    if (counts[kind]! > 0 || labels !== undefined) {
      scores[label] = sixDigits(counts[kind]! / data.length);
    }
  }
  return scores;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** A grey PNG whose samples are the numbers of the classes. */
export function pngOf({ data, width, height }: ClassMap): Buffer {
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) {
    rows.set(data.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8; // bits of a sample, grey
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND")];
  return Buffer.concat([Buffer.from(SIGNATURE), ...parts]);
}

function chunk(type: string, data: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}

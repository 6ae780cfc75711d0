// The luma of a colour JPEG as a grey JPEG, its codes as they are.
import { concatenated } from "../../base/bytes.ts";
import { APP0, DHT, DQT, EOI, SOF0, SOI, SOS } from "../jpeg_headers.ts";
import { readJpegHeader } from "./jpeg_header.ts";
import type { Kernels } from "./kernels.ts";
import { DC_CODES, RECORD_BYTES } from "./layout.ts";
import { noteSegments } from "./repair.ts";
import { enterScan, MOST_BYTES, MOST_PIXELS, readScan } from "./scan.ts";

/** The usual table for DC of luma: 16 counts and the symbols. A source's own may lack some. */
const DC_TABLE = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
  .concat([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
/** Most bytes by which a difference may exceed the source's own. */
const DC_GROWTH = 3;
const JFIF = [...new TextEncoder().encode("JFIF"), 0, 1, 1, 0, 0, 1, 0, 1, 0, 0];

/**
 * Takes the luma out of a baseline JPEG of 4:2:0 of `MOST_BYTES` at most, without restart markers: no
 * coefficient is changed, most codes are copied.
 *
 * @returns a grey baseline JPEG of the same size without metadata; undefined for another kind, and
 * where anything is odd: libjpeg then says what it is.
 */
export function takeLuma(
  kernels: Kernels,
  jpeg: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  const header = jpeg.length > MOST_BYTES ? undefined : readJpegHeader(jpeg);
  if (header === undefined || !header.isYcc420 || header.restart !== 0) return undefined;
  const { width, height, components, mcusAcross, mcusDown } = header;
  if (width * height > MOST_PIXELS) return undefined;
  const scan = enterScan(kernels, header, jpeg);
  if (scan === undefined) return undefined;
  enterDcCodes(kernels);

  const pitch = 2 * mcusAcross * RECORD_BYTES;
  const records = kernels.reserve(2 * mcusDown * pitch);
  const { functions } = kernels;
  const segments = readScan(
    kernels,
    scan,
    header,
    (start, end, mcus) =>
      functions.findCodes(start, end, mcus, scan.blocks, 4, mcusAcross, records, pitch),
  );
  if (segments === undefined) return undefined;
  noteSegments(jpeg, header, segments);

  // MCUs may reach beyond the picture; a grey one ends with its own blocks.
  const across = Math.ceil(width / 8), down = Math.ceil(height / 8);
  const most = scan.coded + DC_GROWTH * across * down + 64;
  const from = kernels.reserve(most) + most;
  const end = functions.copyLuma(scan.codes, records, across, down, pitch, from);
  if (end === 0) return undefined;
  const to = kernels.reserve(2 * (from - end) + 64);
  const codes = kernels.bytes.subarray(to, functions.stuff(from, end, to));

  const head = Uint8Array.from(headOf(width, height, components[0]!));
  return concatenated([head, codes, END]);
}

/** What a grey JPEG has before its codes. */
function headOf(
  width: number,
  height: number,
  { factors, ac }: { readonly factors: Uint8Array; readonly ac: Uint8Array },
): number[] {
  const size = [height >> 8, height & 255, width >> 8, width & 255];
  return [
    ...BEFORE_FACTORS,
    ...factors,
    ...[...beginOf(SOF0, 9), 8, ...size, 1, 1, 0x11, 0],
    ...[...beginOf(DHT, 2 + DC_TABLE.length + ac.length), 0],
    ...DC_TABLE,
    0x10,
    ...ac,
    ...SCAN_HEADER,
  ];
}

/** Marker and length of a segment with this many bytes of content. */
function beginOf(marker: number, size: number): number[] {
  const length = size + 2;
  return [0xff, marker, length >> 8, length & 255];
}

const BEFORE_FACTORS = [0xff, SOI, ...beginOf(APP0, JFIF.length), ...JFIF, ...beginOf(DQT, 65), 0];
const SCAN_HEADER = [...beginOf(SOS, 6), 1, 1, 0, 0, 63, 0];
const END = Uint8Array.of(0xff, EOI);

function enterDcCodes({ longs }: Kernels): void {
  let code = 0, at = 16;
  for (let length = 1; length <= 16; length++) {
    code <<= 1;
    for (let n = DC_TABLE[length - 1]!; n > 0; n--, code++, at++) {
      const entry = (DC_CODES >> 2) + 2 * DC_TABLE[at]!;
      longs[entry] = code;
      longs[entry + 1] = length;
    }
  }
}

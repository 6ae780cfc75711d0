// What a decoded frame's colours become before a scaler makes RGB of them.
//
// The scaler converts common matrices by itself. FFmpeg's `zscale` converts the others, and wide gamuts, to
// BT.709; `tonemap` brings HDR to it: HDR's reference white of 203 cd/m² (ITU-R BT.2408) is the white of
// before, what is brighter, up to 1 000 cd/m², is compressed, and what is darker than a third of it stays.
// Matrices, transfers and primaries have the numbers of ITU-T H.273, which FFmpeg's are.
import {
  AV_FRAME_FLAG_INTERLACED,
  AVCOL_PRI_UNSPECIFIED,
  AVCOL_TRC_UNSPECIFIED,
  type Frame,
} from "node-av";
import { type FilterStep, SCALED_MATRICES, scaledMatrix } from "./filter.ts";

const [BT709, BT601, SRGB] = [1, 5, 13];
/** Matrices that `zscale` converts: YCgCo, BT.2020 of constant luminance, chroma-derived (two), ICtCp. */
const FILTERED: ReadonlySet<number> = new Set([8, 10, 12, 13, 14]);
const [BT2020, BT2020_CONSTANT, ICTCP] = [9, 10, 14];
/** Primaries: BT.2020, DCI P3, Display P3. */
const WIDE: ReadonlySet<number> = new Set([9, 11, 12]);
const [PQ, HLG] = [16, 18];

const WHITE = 203;
const BRIGHTEST = 1_000;

/**
 * The filters that make BT.709 of a frame's colours; none where the scaler can do that. What the stream
 * leaves unnamed is BT.2020 in HDR, else BT.709. ICtCp is BT.2020 whatever else is named, and PQ where
 * HLG is not named; constant luminance is SDR.
 *
 * @param size the filters scale to it as well, since fewer pixels cost less
 */
export function colourSteps(
  { colorSpace: matrix, colorPrimaries: primaries, colorTrc: transfer }: Frame,
  size?: { readonly width: number; readonly height: number },
): readonly FilterStep[] {
  const isHdr = transfer === PQ || transfer === HLG || matrix === ICTCP;
  if (!isHdr && !WIDE.has(primaries) && !FILTERED.has(matrix)) return [];
  const isWide = isHdr || matrix === BT2020 || matrix === BT2020_CONSTANT;
  const isConstant = matrix === BT2020_CONSTANT;
  const isNamed = SCALED_MATRICES.has(matrix) || FILTERED.has(matrix);
  const from = {
    matrix: isNamed && !(isConstant && isHdr) ? matrix : isWide ? BT2020 : BT601,
    primaries: matrix === ICTCP || isConstant
      ? BT2020
      : WIDE.has(primaries)
      ? primaries
      : isWide && primaries === AVCOL_PRI_UNSPECIFIED
      ? BT2020
      : BT709,
    transfer: isHdr
      ? (transfer === HLG ? HLG : PQ)
      : transfer === SRGB && !isConstant
      ? SRGB
      : BT709,
  };
  const convert = [
    ...(size === undefined ? [] : [`w=${size.width}:h=${size.height}:filter=bicubic`]),
    `matrixin=${from.matrix}:primariesin=${from.primaries}:transferin=${from.transfer}`,
    "matrix=gbr:primaries=bt709:range=full",
  ].join(":");
  if (!isHdr) return [["zscale", `${convert}:transfer=${from.transfer}`], ["format", "gbrp"]];
  return [
    ["zscale", `${convert}:transfer=linear:npl=${WHITE}`],
    ["format", "gbrpf32le"],
    ["tonemap", `mobius:desat=0:peak=${BRIGHTEST / WHITE}`],
    ["zscale", "transfer=bt709"],
    ["format", "gbrp"],
  ];
}

/**
 * Leaves what the scaler knows: with primaries or a transfer it computes a table for seconds; a matrix that
 * it does not know, or fields, are an error. An unknown matrix is read as BT.601.
 */
export function plainColours(frame: Frame): void {
  frame.colorSpace = scaledMatrix(frame);
  frame.colorPrimaries = AVCOL_PRI_UNSPECIFIED;
  frame.colorTrc = AVCOL_TRC_UNSPECIFIED;
  frame.clearFlags(AV_FRAME_FLAG_INTERLACED);
}

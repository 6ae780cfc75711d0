// What a decoded frame's colours become before a scaler makes RGB of them.
//
// The scaler converts common matrices by itself. FFmpeg's `zscale` converts the others, and wide gamuts, to
// BT.709; `tonemap` brings HDR to it: HDR's reference white of 203 cd/m² (ITU-R BT.2408) is the white of
// before, what is brighter, up to 1 000 cd/m², is compressed, and what is darker than a third of it stays.
import {
  AV_FRAME_FLAG_INTERLACED,
  AVCOL_PRI_BT2020,
  AVCOL_PRI_BT709,
  AVCOL_PRI_SMPTE431,
  AVCOL_PRI_SMPTE432,
  AVCOL_PRI_UNSPECIFIED,
  AVCOL_SPC_BT2020_CL,
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_CHROMA_DERIVED_CL,
  AVCOL_SPC_CHROMA_DERIVED_NCL,
  AVCOL_SPC_FCC,
  AVCOL_SPC_ICTCP,
  AVCOL_SPC_RGB,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_SMPTE240M,
  AVCOL_SPC_UNSPECIFIED,
  AVCOL_SPC_YCGCO,
  AVCOL_TRC_ARIB_STD_B67,
  AVCOL_TRC_BT709,
  AVCOL_TRC_IEC61966_2_1,
  AVCOL_TRC_SMPTE2084,
  AVCOL_TRC_UNSPECIFIED,
  type Frame,
} from "node-av";
import type { FilterStep } from "./filter.ts";

/** Matrices that the scaler converts by their own coefficients. */
const SCALED: ReadonlySet<number> = new Set([
  AVCOL_SPC_RGB,
  AVCOL_SPC_BT709,
  AVCOL_SPC_FCC,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_SMPTE240M,
  AVCOL_SPC_BT2020_NCL,
]);
/** Matrices that `zscale` converts and the scaler does not. */
const FILTERED: ReadonlySet<number> = new Set([
  AVCOL_SPC_YCGCO,
  AVCOL_SPC_BT2020_CL,
  AVCOL_SPC_CHROMA_DERIVED_NCL,
  AVCOL_SPC_CHROMA_DERIVED_CL,
  AVCOL_SPC_ICTCP,
]);
const OF_BT2020: ReadonlySet<number> = new Set([
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_BT2020_CL,
  AVCOL_SPC_ICTCP,
]);
const WIDE: ReadonlySet<number> = new Set([
  AVCOL_PRI_BT2020,
  AVCOL_PRI_SMPTE431,
  AVCOL_PRI_SMPTE432,
]);
const HDR: ReadonlySet<number> = new Set([AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67]);

const WHITE = 203;
const BRIGHTEST = 1_000;

/**
 * The filters that make BT.709 of a frame's colours; none where the scaler can do that. What the stream
 * leaves unnamed is BT.2020 in HDR, else BT.709; ICtCp without a transfer is PQ.
 *
 * @param size the filters scale to it as well, since fewer pixels cost less
 */
export function colourSteps(
  { colorSpace, colorPrimaries, colorTrc }: Frame,
  size?: { readonly width: number; readonly height: number },
): readonly FilterStep[] {
  const ictcp = colorSpace === AVCOL_SPC_ICTCP;
  const hdr = ictcp || HDR.has(colorTrc);
  if (!hdr && !WIDE.has(colorPrimaries) && !FILTERED.has(colorSpace)) return [];
  const wide = hdr || OF_BT2020.has(colorSpace);
  const transfer = HDR.has(colorTrc)
    ? colorTrc
    : ictcp
    ? AVCOL_TRC_SMPTE2084
    : colorTrc === AVCOL_TRC_IEC61966_2_1
    ? colorTrc
    : AVCOL_TRC_BT709;
  const primaries = WIDE.has(colorPrimaries) ? colorPrimaries : AVCOL_PRI_BT709;
  const unnamed = colorPrimaries === AVCOL_PRI_UNSPECIFIED && wide;
  const matrix = SCALED.has(colorSpace) || FILTERED.has(colorSpace)
    ? colorSpace
    : wide
    ? AVCOL_SPC_BT2020_NCL
    : AVCOL_SPC_BT470BG;
  const convert = [
    ...(size === undefined ? [] : [`w=${size.width}:h=${size.height}:filter=bicubic`]),
    `matrixin=${matrix}:primariesin=${unnamed ? AVCOL_PRI_BT2020 : primaries}`,
    `transferin=${transfer}:matrix=gbr:primaries=bt709:range=full`,
  ].join(":");
  if (!hdr) return [["zscale", `${convert}:transfer=${transfer}`], ["format", "gbrp"]];
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
  if (!SCALED.has(frame.colorSpace)) frame.colorSpace = AVCOL_SPC_UNSPECIFIED;
  frame.colorPrimaries = AVCOL_PRI_UNSPECIFIED;
  frame.colorTrc = AVCOL_TRC_UNSPECIFIED;
  frame.clearFlags(AV_FRAME_FLAG_INTERLACED);
}

// What a frame says about its colours, reduced to what the conversion to RGB needs.
import {
  AV_FRAME_FLAG_INTERLACED,
  AVCOL_PRI_UNSPECIFIED,
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_FCC,
  AVCOL_SPC_RGB,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_SMPTE240M,
  AVCOL_SPC_UNSPECIFIED,
  AVCOL_TRC_UNSPECIFIED,
  type Frame,
} from "node-av";

/** Matrices that the scaler converts by their own coefficients. */
const MATRICES: ReadonlySet<number> = new Set([
  AVCOL_SPC_RGB,
  AVCOL_SPC_BT709,
  AVCOL_SPC_FCC,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_SMPTE240M,
  AVCOL_SPC_BT2020_NCL,
]);

/**
 * Prepares a frame for the scaler. Its matrix and range stay; a matrix that the scaler does not know
 * (YCgCo, ICtCp, BT.2020 with constant luminance) is read as BT.601, as an unnamed one is. Primaries
 * and transfer are left out: samples of HDR10, HLG and wide gamuts pass as stored, without tone
 * mapping, as `ffmpeg` writes them to a JPEG; with them, the scaler computes a table for seconds.
 */
export function plainColours(frame: Frame): void {
  if (!MATRICES.has(frame.colorSpace)) frame.colorSpace = AVCOL_SPC_UNSPECIFIED;
  frame.colorPrimaries = AVCOL_PRI_UNSPECIFIED;
  frame.colorTrc = AVCOL_TRC_UNSPECIFIED;
  frame.clearFlags(AV_FRAME_FLAG_INTERLACED);
}

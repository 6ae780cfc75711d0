/**
 * Images: inspect, decode and encode them in pooled memory.
 *
 * @module
 */
export * from "./decode.ts";
export * from "./draw.ts";
export { type Flaw, FLAWS, repairsOf } from "./flaws.ts";
export * from "./inspect.ts";
export { decodeJpeg, encodeJpeg, type EncodeJpegOptions, extractLuma, isDirect } from "./jpeg.ts";
export * from "./orientation.ts";
export * from "./picture.ts";
export type { Channels, Denominator, RawImage } from "./raw.ts";
export { shrink } from "./shrink.ts";
export * from "./placement.ts";
export * from "./tensor.ts";
export * from "./tensor_spec.ts";

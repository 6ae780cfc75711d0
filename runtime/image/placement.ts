// Maps between the pixels of a frame and of its tensor.
import type { Denominator } from "./raw.ts";
import type { TensorSpec } from "./tensor_spec.ts";

/** A part of a picture in pixels. */
export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Placement of a frame in its tensor. */
export interface Placement {
  /** Size of the frame in pixels. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  /** The frame is decoded at this fraction of its size. */
  readonly denominator: Denominator;
  /** The part of the decoded picture that is used. */
  readonly crop: Crop;
  /** The position of that part in the tensor. */
  readonly content: Crop;
}

/** Determines how a frame of this size is placed in a tensor. */
export function placementOf(spec: TensorSpec, width: number, height: number): Placement {
  const { reduce = true } = spec;
  const content = spec.resize === "letterbox"
    ? aligned(fitInside(width, height, spec.width, spec.height), spec.align)
    : { left: 0, top: 0, width: spec.width, height: spec.height };
  const reducedBy = (denominator: Denominator): Placement => {
    const reducedWidth = Math.ceil(width / denominator);
    const reducedHeight = Math.ceil(height / denominator);
    const crop = spec.resize === "crop"
      ? fitInside(spec.width, spec.height, reducedWidth, reducedHeight)
      : { left: 0, top: 0, width: reducedWidth, height: reducedHeight };
    return { sourceWidth: width, sourceHeight: height, denominator, crop, content };
  };
  const reduced = reduce ? ([8, 4, 2] as const).map(reducedBy) : [];
  return reduced.find(({ crop }) => crop.width >= content.width && crop.height >= content.height) ??
    reducedBy(1);
}

/** The largest centred rectangle of the given aspect ratio that fits into the outer one. */
function fitInside(width: number, height: number, outerWidth: number, outerHeight: number): Crop {
  const factor = Math.min(outerWidth / width, outerHeight / height);
  const fitted = {
    width: Math.max(1, Math.min(outerWidth, Math.round(width * factor))),
    height: Math.max(1, Math.min(outerHeight, Math.round(height * factor))),
  };
  return {
    left: Math.floor((outerWidth - fitted.width) / 2),
    top: Math.floor((outerHeight - fitted.height) / 2),
    ...fitted,
  };
}

function aligned(content: Crop, align: TensorSpec["align"]): Crop {
  return align === "start" ? { ...content, left: 0, top: 0 } : content;
}

/** Converts a box from tensor to frame pixels, clipped to the frame. */
export function toSource(
  { sourceWidth, sourceHeight, denominator, crop, content }: Placement,
  [left, top, right, bottom]: readonly [number, number, number, number],
): [number, number, number, number] {
  const x = (value: number) =>
    clamp(
      ((value - content.left) * crop.width / content.width + crop.left) * denominator,
      sourceWidth,
    );
  const y = (value: number) =>
    clamp(
      ((value - content.top) * crop.height / content.height + crop.top) * denominator,
      sourceHeight,
    );
  return [x(left), y(top), x(right), y(bottom)];
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value));
}

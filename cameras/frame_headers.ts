// The headers that a camera gives its frames.
import type { Headers } from "../runtime/definition/frame.ts";
import type { CameraSettings } from "./settings.ts";

/** What people call the camera. */
export const NAME_HEADER = "camera-name";
/** Where it is. */
export const PLACE_HEADER = "camera-place";

export function frameHeaders(
  image: {
    readonly contentType: string;
    readonly width?: number;
    readonly height?: number;
    readonly headers?: Headers;
  },
  session: string,
  seq: number,
  { name, place }: Pick<CameraSettings, "name" | "place"> = {},
): Headers {
  const headers: Record<string, string> = {
    "content-type": image.contentType,
    session,
    seq: String(seq),
  };
  if (image.width !== undefined) headers.width = String(image.width);
  if (image.height !== undefined) headers.height = String(image.height);
  if (name !== undefined) headers[NAME_HEADER] = name;
  if (place !== undefined) headers[PLACE_HEADER] = place;
  return { ...image.headers, ...headers };
}

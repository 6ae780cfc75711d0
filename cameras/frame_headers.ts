/**
 * The headers that a camera gives its frames.
 *
 * @module
 */
import type { Headers } from "../runtime/definition/frame.ts";

/** The headers of a camera's frame. */
export function frameHeaders(
  image: {
    readonly contentType: string;
    readonly width?: number;
    readonly height?: number;
    readonly headers?: Headers;
  },
  session: string,
  seq: number,
): Headers {
  const headers: Record<string, string> = {
    "content-type": image.contentType,
    session,
    seq: String(seq),
  };
  if (image.width !== undefined) headers.width = String(image.width);
  if (image.height !== undefined) headers.height = String(image.height);
  return { ...image.headers, ...headers };
}

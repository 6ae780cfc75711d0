import type { Frame } from "../definition/frame.ts";

/** The content type of a frame's value, from its first bytes or else its header. */
export function contentTypeOf({ value, headers }: Pick<Frame, "value" | "headers">): string {
  if (value[0] === 0xff && value[1] === 0xd8) return "image/jpeg";
  if (value[0] === 0x89 && value[1] === 0x50) return "image/png";
  // RIFF….WEBP
  if (value[0] === 0x52 && value[8] === 0x57) return "image/webp";
  return headers["content-type"] ?? "application/octet-stream";
}

/** File extension of a content type, without the dot. */
export function extensionOf(contentType: string): string {
  const subtype = /^image\/([a-z0-9]{1,8})$/.exec(contentType)?.[1];
  if (subtype === undefined) return "bin";
  return subtype === "jpeg" ? "jpg" : subtype;
}

// What FFmpeg makes of whole streams, to compare what is decoded unit by unit.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { VideoCodec } from "../../../runtime/video/access_unit.ts";
import type { VideoPicture } from "../../../runtime/video/video_picture.ts";
import { joined } from "../../support/h264_writer.ts";

const FORMATS = { h264: "h264", h265: "hevc" } as const;

/** Luma of every frame, as FFmpeg decodes the stream: hashes of its samples. */
export async function lumaOf(units: readonly Uint8Array[], codec: VideoCodec): Promise<string[]> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, joined(...units));
    const input = ["-v", "error", "-f", FORMATS[codec], "-i", path];
    const hashes = ["-vf", "extractplanes=y", "-autoscale", "0", "-fps_mode", "passthrough"];
    const { stdout, stderr } = await new Deno.Command("ffmpeg", {
      args: [...input, ...hashes, "-f", "framemd5", "-"],
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    const lines = new TextDecoder().decode(stdout).split("\n");
    return lines.filter((line) => /^\d/.test(line)).map((line) => line.split(",").at(-1)!.trim());
  } finally {
    await Deno.remove(path);
  }
}

/** The hash of a picture's luma. */
export function planeOf({ frame, width, height }: VideoPicture, depth = 8): string {
  const { data, linesize } = frame;
  const hash = createHash("md5");
  const row = width * (depth === 8 ? 1 : 2);
  for (let y = 0; y < height; y++) {
    hash.update(data![0]!.subarray(y * linesize[0]!, y * linesize[0]! + row));
  }
  return hash.digest("hex");
}

/** The units as frames of a lane, from one of them on. */
export function framesOf(units: readonly Uint8Array[], codec: VideoCodec, from = 0): Frame[] {
  return units.slice(from).map((value, index) => ({
    topic: "VideoStreaming",
    partition: 0,
    offset: from + index,
    timestamp: (from + index) * 40,
    key: null,
    headers: { "content-type": `video/${codec}` },
    value,
  }));
}

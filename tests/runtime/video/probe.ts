/** What FFmpeg's own reader finds in a video file. */
import assert from "node:assert/strict";

export interface Probe {
  readonly frames: number;
  /** Seconds. */
  readonly duration: number;
  /** Milliseconds. */
  readonly times: readonly number[];
  readonly codec: string;
  /** `WIDTHxHEIGHT`. */
  readonly size: string;
  /** Frames that begin a group. */
  readonly keys: number;
}

/** Reads a whole file; every warning is a failure. */
export async function probe(path: string): Promise<Probe> {
  const run = async (...args: string[]) => {
    const { stdout, stderr } = await new Deno.Command("ffprobe", {
      args: ["-v", "warning", ...args, "-of", "json", path],
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "", path);
    return JSON.parse(new TextDecoder().decode(stdout));
  };
  const { streams: [stream], format } = await run(
    "-count_frames",
    "-show_entries",
    "stream=nb_read_frames,codec_name,width,height:format=duration",
  );
  const { packets } = await run("-show_entries", "packet=pts_time,flags") as {
    packets: { pts_time: string; flags: string }[];
  };
  return {
    frames: Number(stream.nb_read_frames),
    duration: Number(format.duration),
    times: packets.map((packet) => Math.round(1000 * Number(packet.pts_time))),
    keys: packets.filter((packet) => packet.flags.includes("K")).length,
    codec: stream.codec_name,
    size: `${stream.width}x${stream.height}`,
  };
}

/** The same of a file in memory. */
export async function probeBytes(bytes: Uint8Array): Promise<Probe> {
  const path = await Deno.makeTempFile({ suffix: ".mp4" });
  try {
    await Deno.writeFile(path, bytes);
    return await probe(path);
  } finally {
    await Deno.remove(path);
  }
}

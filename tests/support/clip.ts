// A whole clip in memory.
import { concatenated } from "../../runtime/base/bytes.ts";
import { type ClipOptions, type Frames, streamClip } from "../../runtime/video/clip.ts";

/** The MP4 of some frames. */
export async function clipOf(frames: Frames, options?: ClipOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of streamClip(frames, options)) chunks.push(chunk);
  return concatenated(chunks);
}

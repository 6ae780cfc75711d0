// A lane as `multipart/x-mixed-replace`, for curl, `<img>` and other MJPEG clients.
import { Notifier } from "../runtime/base/wait.ts";
import type { LanePicture } from "../runtime/lanes.ts";
import type { Hub } from "./hub.ts";

const BOUNDARY = "framelane-frame";
const encoder = new TextEncoder();
const BETWEEN = encoder.encode(`\r\n--${BOUNDARY}\r\n`);

export const MJPEG_CONTENT_TYPE = `multipart/x-mixed-replace; boundary=${BOUNDARY}`;

export interface MjpegOptions {
  /** Device pixels; 0 for the original size. */
  readonly width: number;
  /** Aborts when the viewer stops. */
  readonly signal: AbortSignal;
  /** Called once when the stream ends for any reason. */
  readonly onEnd?: () => void;
}

/**
 * A stream of the lane's pictures, starting with the newest. Each part is made from the newest picture when
 * the previous part was read, so a slow reader gets fewer pictures.
 */
export function mjpegStream(
  hub: Hub,
  lane: string,
  { width, signal: stopped, onEnd = () => {} }: MjpegOptions,
): ReadableStream<Uint8Array> {
  const over = new AbortController();
  const signal = AbortSignal.any([stopped, over.signal]);
  const news = new Notifier();
  const stopListening = hub.listen(lane, () => news.notify());
  const end = () => {
    if (over.signal.aborted) return;
    over.abort();
    stopListening();
    onEnd();
  };
  let sent: LanePicture | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        let picture = hub.feed.latest(lane);
        for (; picture === undefined || picture === sent; picture = hub.feed.latest(lane)) {
          await news.wait(signal);
        }
        const scaled = await hub.scaler.live(picture, width) ?? hub.scaler.whole(picture);
        signal.throwIfAborted();
        // Browsers show a part once they receive the boundary after it, so send that along.
        const head = `${sent === undefined ? `--${BOUNDARY}\r\n` : ""}` +
          `Content-Type: ${scaled.contentType}\r\nContent-Length: ${scaled.bytes.length}\r\n` +
          `X-Framelane-Offset: ${scaled.picture.offset}\r\n` +
          `X-Framelane-Timestamp: ${scaled.picture.timestamp}\r\n\r\n`;
        sent = scaled.picture;
        controller.enqueue(encoder.encode(head));
        controller.enqueue(scaled.bytes);
        controller.enqueue(BETWEEN);
      } catch (error) {
        const [isAborted, isCancelled] = [signal.aborted, over.signal.aborted];
        end();
        if (!isAborted) throw error;
        if (!isCancelled) controller.close();
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

// One lane as `multipart/x-mixed-replace`: for curl, `<img>` and everything that knows MJPEG.
import { Notifier } from "../runtime/base/wait.ts";
import type { LanePicture } from "../runtime/lanes.ts";
import type { Hub } from "./hub.ts";

const BOUNDARY = "framelane-frame";
const encoder = new TextEncoder();
const BETWEEN = encoder.encode(`\r\n--${BOUNDARY}\r\n`);

/** Content type of the streams made by `mjpegStream`. */
export const MJPEG_CONTENT_TYPE = `multipart/x-mixed-replace; boundary=${BOUNDARY}`;

/** What a stream shows. */
export interface MjpegOptions {
  /** Device pixels; 0 for pictures as they are. */
  readonly width: number;
  /** Aborts when the viewer stops. */
  readonly signal: AbortSignal;
  /** Called once when the stream is over, for whatever reason. */
  readonly onEnd?: () => void;
}

/**
 * A stream of the lane's pictures, beginning with the newest. It makes the next part only when the
 * one before was taken, from whatever is newest then: a slow reader gets fewer pictures.
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
        // Browsers show a part when they see the boundary after it, so it goes with the part.
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

/**
 * One lane as `multipart/x-mixed-replace`: for curl, `<img>` and everything that knows MJPEG.
 *
 * @module
 */
import type { LanePicture } from "../runtime/lanes.ts";
import type { Hub } from "./hub.ts";

const BOUNDARY = "framelane-frame";

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
  { width, signal, onEnd }: MjpegOptions,
): ReadableStream<Uint8Array> {
  let stopListening = () => {};
  let sent: LanePicture | undefined;
  let wake = () => {};
  let over = false;
  const woken = () => wake();
  const end = () => {
    if (over) return;
    over = true;
    stopListening();
    signal.removeEventListener("abort", woken);
    onEnd?.();
    wake();
  };
  return new ReadableStream<Uint8Array>({
    start() {
      stopListening = hub.listen(lane, woken);
      signal.addEventListener("abort", woken);
    },
    async pull(controller) {
      let picture = hub.feed.latest(lane);
      while (picture === undefined || picture === sent) {
        if (signal.aborted) {
          end();
          controller.close();
        }
        if (over) return;
        await new Promise<void>((resolve) => wake = resolve);
        picture = hub.feed.latest(lane);
      }
      const scaled = await hub.scaler.live(picture, width) ?? hub.scaler.whole(picture);
      if (over) return;
      // Browsers show a part when they see the boundary after it, so it goes with the part.
      const head = `${sent === undefined ? `--${BOUNDARY}\r\n` : ""}` +
        `Content-Type: ${scaled.contentType}\r\nContent-Length: ${scaled.bytes.length}\r\n` +
        `X-Framelane-Offset: ${scaled.picture.offset}\r\n` +
        `X-Framelane-Timestamp: ${scaled.picture.timestamp}\r\n\r\n`;
      sent = scaled.picture;
      controller.enqueue(part(head, scaled.bytes));
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

function part(head: string, bytes: Uint8Array): Uint8Array {
  const tail = `\r\n--${BOUNDARY}\r\n`;
  const encoder = new TextEncoder();
  const whole = new Uint8Array(head.length + bytes.length + tail.length);
  encoder.encodeInto(head, whole);
  whole.set(bytes, head.length);
  encoder.encodeInto(tail, whole.subarray(head.length + bytes.length));
  return whole;
}

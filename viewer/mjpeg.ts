// A lane as `multipart/x-mixed-replace`, for curl, `<img>` and other MJPEG clients.
import { Notifier } from "../runtime/base/wait.ts";
import type { LanePicture } from "../runtime/lanes.ts";
import type { Hub } from "./hub.ts";

const BOUNDARY = "framelane-frame";
const encoder = new TextEncoder();
const BETWEEN = encoder.encode(`\r\n--${BOUNDARY}\r\n`);

export const MJPEG_CONTENT_TYPE = `multipart/x-mixed-replace; boundary=${BOUNDARY}`;

/**
 * The parts of a lane's stream, starting with its newest picture, until `signal` aborts. Each part is made from
 * the newest picture when the previous one was read, so a slow reader gets fewer pictures.
 *
 * @param width device pixels; 0 for the original size
 */
export async function* mjpegOf(
  hub: Hub,
  lane: string,
  width: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const news = new Notifier();
  const stopListening = hub.listen(lane, () => news.notify());
  try {
    yield encoder.encode(`--${BOUNDARY}\r\n`);
    let sent: LanePicture | undefined;
    while (true) {
      const picture = hub.feed.latest(lane);
      if (picture === undefined || picture === sent) {
        await news.wait(signal);
        continue;
      }
      const scaled = await hub.scaler.live(picture, width) ?? hub.scaler.whole(picture);
      signal.throwIfAborted();
      sent = scaled.picture;
      yield encoder.encode(
        `Content-Type: ${scaled.contentType}\r\nContent-Length: ${scaled.bytes.length}\r\n` +
          `X-Framelane-Offset: ${sent.offset}\r\nX-Framelane-Timestamp: ${sent.timestamp}\r\n\r\n`,
      );
      yield scaled.bytes;
      // Browsers show a part once they receive the boundary after it, so send that along.
      yield BETWEEN;
    }
  } finally {
    stopListening();
  }
}

// An RTSP server that does what a test says: times, pauses, and answers that no camera should give.
import { Buffer } from "node:buffer";
import { withServer } from "./scripted_server.ts";

/** What the server does. */
export interface RtspScript {
  /** Access units of H.264 in Annex B form, sent over and over. */
  readonly units: readonly Uint8Array[];
  /** The stream's time of a frame, milliseconds; 40 apart unless given. */
  readonly streamMs?: (index: number) => number;
  /** Awaited before a frame is sent; false ends the connection. */
  readonly before?: (index: number) => Promise<boolean | void>;
  /** An answer in Latin-1 in place of the ordinary one; undefined: the ordinary one. */
  readonly answer?: (method: string, cseq: string, request: string) => string | undefined;
  /** Answers come so many bytes at a time. */
  readonly pieces?: number;
  /** Written before each frame: whatever stands between. */
  readonly noise?: Uint8Array;
  readonly hostname?: string;
}

const MOST_PAYLOAD = 1_400;
const H264_TRACK = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" +
  "a=fmtp:96 packetization-mode=1\r\na=control:track1\r\n";

/** A session description with these tracks. */
export function sdp(tracks = H264_TRACK): string {
  return `v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n${tracks}`;
}

/** An answer with a body. */
export function describeAnswer(cseq: string, body: string): string {
  return `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nContent-Type: application/sdp\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** Runs the body with a server; gives its address. */
export async function withScriptedRtsp(
  script: RtspScript,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const { hostname = "127.0.0.1" } = script;
  await withServer(
    hostname,
    (connection) => serve(connection, script),
    (host) => body(`rtsp://${host}/live`),
  );
}

async function serve(connection: Deno.Conn, script: RtspScript): Promise<void> {
  const write = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  };
  const buffer = new Uint8Array(16 * 1024);
  let text = "";
  let playing: Promise<void> = Promise.resolve();
  try {
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) return;
      text += new TextDecoder("latin1").decode(buffer.subarray(0, length));
      for (let end; (end = text.indexOf("\r\n\r\n")) >= 0; text = text.slice(end + 4)) {
        // Receiver reports come between requests.
        const request = text.slice(0, end).slice(text.search(/[A-Z_]+ rtsp:/));
        const [method = ""] = request.split(" ");
        const cseq = /CSeq: *(\d+)/i.exec(request)?.[1] ?? "0";
        const ordinary = {
          OPTIONS: `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n`,
          DESCRIBE: describeAnswer(cseq, sdp()),
          SETUP: `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nSession: 7\r\n` +
            `Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n`,
        }[method] ?? `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nSession: 7\r\n\r\n`;
        const answer = script.answer?.(method, cseq, request) ?? ordinary;
        const bytes = Buffer.from(answer, "latin1");
        const { pieces = bytes.length } = script;
        for (let at = 0; at < bytes.length; at += pieces) {
          await write(bytes.subarray(at, at + pieces));
        }
        if (method === "PLAY") playing = play(script, write).catch(() => {});
      }
    }
  } catch {
    // The connection was closed.
  } finally {
    await playing;
  }
}

async function play(
  { units, streamMs = (index) => index * 40, before, noise }: RtspScript,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  let sequence = 1;
  for (let index = 0;; index++) {
    if (await before?.(index) === false) throw new Error("The script ends");
    if (noise !== undefined) await write(noise);
    const time = Math.round(streamMs(index) * 90) >>> 0;
    const payloads = nalUnits(units[index % units.length]!).flatMap(fragments);
    for (const [at, payload] of payloads.entries()) {
      const packet = new Uint8Array(16 + payload.length);
      const view = new DataView(packet.buffer);
      view.setUint16(0, 0x2400);
      view.setUint16(2, 12 + payload.length);
      view.setUint16(4, 0x8060 | (at === payloads.length - 1 ? 0x80 : 0));
      view.setUint16(6, sequence++ & 0xffff);
      view.setUint32(8, time);
      view.setUint32(12, 7);
      packet.set(payload, 16);
      await write(packet);
    }
  }
}

/** The NAL units between start codes. */
function nalUnits(unit: Uint8Array): Uint8Array[] {
  const starts: number[] = [];
  for (let at = 0; at + 3 < unit.length; at++) {
    if (unit[at] === 0 && unit[at + 1] === 0 && unit[at + 2] === 1) starts.push(at + 3);
  }
  return starts.map((start, i) => {
    let end = (starts[i + 1] ?? unit.length + 3) - 3;
    if (i + 1 < starts.length) { while (unit[end - 1] === 0) end--; }
    return unit.subarray(start, end);
  });
}

/** A NAL unit as it is, or in fragments (FU-A, RFC 6184). */
function fragments(nal: Uint8Array): Uint8Array[] {
  if (nal.length <= MOST_PAYLOAD) return [nal];
  const [header = 0] = nal;
  const pieces: Uint8Array[] = [];
  for (let at = 1; at < nal.length; at += MOST_PAYLOAD) {
    const body = nal.subarray(at, at + MOST_PAYLOAD);
    const flags = (at === 1 ? 0x80 : 0) | (at + MOST_PAYLOAD >= nal.length ? 0x40 : 0);
    pieces.push(new Uint8Array([header & 0xe0 | 28, flags | header & 0x1f, ...body]));
  }
  return pieces;
}

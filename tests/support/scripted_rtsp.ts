// An RTSP server that does what a test says: times, pauses, packets, and answers that no camera should give.
import { Buffer } from "node:buffer";
import { nalUnits, type VideoCodec } from "../../runtime/video/access_unit.ts";
import { withServer } from "./scripted_server.ts";

/** What the server does. */
export interface RtspScript {
  /** Access units in Annex B form, sent over and over. */
  readonly units: readonly Uint8Array[];
  /** H.264 unless given. */
  readonly codec?: VideoCodec;
  /** The units are parts of MPEG-TS, one for each packet (payload type 33). */
  readonly mpegTs?: boolean;
  /** Parameter sets in the description, as its format line has them; none unless given. */
  readonly sets?: string;
  /** NAL units that go into one packet where they fit: an aggregation packet; 1 unless given. */
  readonly together?: number;
  /** Packets that are lost, by their frame, their number in it, and how many it has. */
  readonly lost?: (index: number, at: number, of: number) => boolean;
  /** Numbers that are left out before a frame; none unless given. */
  readonly jump?: (index: number) => number;
  /** What names the source of a frame's packets; 7 unless given. */
  readonly source?: (index: number) => number;
  /** What comes before a packet with a number of its own: a packet without video. */
  readonly extra?: { readonly type: number; readonly payload: Uint8Array };
  /** Each packet names a contributing source, and has an extension of its header. */
  readonly extended?: boolean;
  /** The stream's time of a frame, milliseconds; 40 apart unless given. */
  readonly streamMs?: (index: number) => number;
  /** Awaited before a frame is sent; false ends the connection. */
  readonly before?: (index: number) => Promise<boolean | void>;
  /** An answer in Latin-1 in place of the ordinary one; undefined: the ordinary one. */
  readonly answer?: (method: string, cseq: string, request: string) => string | undefined;
  /** Bytes of an answer that are sent at a time; by default all. */
  readonly pieces?: number;
  /** Written before each frame: whatever stands between. */
  readonly noise?: Uint8Array;
  readonly hostname?: string;
}

const MOST_PAYLOAD = 1_400;

/** The description of a video track. */
export function track({ codec = "h264", sets, mpegTs }: Partial<RtspScript> = {}): string {
  if (mpegTs) return "m=video 0 RTP/AVP 33\r\na=control:track1\r\n";
  const format = [codec === "h264" ? "packetization-mode=1" : undefined, sets].filter(Boolean);
  return `m=video 0 RTP/AVP 96\r\na=rtpmap:96 ${codec.toUpperCase()}/90000\r\n` +
    `a=fmtp:96 ${format.join(";")}\r\na=control:track1\r\n`;
}

/** A session description with these tracks. */
export function sdp(tracks = track()): string {
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
          DESCRIBE: describeAnswer(cseq, sdp(track(script))),
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

async function play(script: RtspScript, write: (bytes: Uint8Array) => Promise<void>) {
  const { units, codec = "h264", together = 1, streamMs = (index) => index * 40 } = script;
  let sequence = 1;
  for (let index = 0;; index++) {
    if (await script.before?.(index) === false) throw new Error("The script ends");
    if (script.noise !== undefined) await write(script.noise);
    sequence += script.jump?.(index) ?? 0;
    const time = Math.round(streamMs(index) * 90) >>> 0;
    const packet = (type: number, payload: Uint8Array) => {
      const head = new DataView(new ArrayBuffer(16));
      const more = script.extended ? [0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x1c, 0x1c, 0x1c, 0x1c] : [];
      head.setUint16(0, 0x2400);
      head.setUint16(2, 12 + more.length + payload.length);
      head.setUint16(4, (script.extended ? 0x9100 : 0x8000) | type);
      head.setUint16(6, sequence++ & 0xffff);
      head.setUint32(8, time);
      head.setUint32(12, script.source?.(index) ?? 7);
      return new Uint8Array([...new Uint8Array(head.buffer), ...more, ...payload]);
    };
    const unit = units[index % units.length]!;
    const payloads = script.mpegTs ? [unit] : grouped([...nalUnits(unit)], together)
      .flatMap((group) =>
        group.length > 1 ? [aggregate(codec, group)] : fragments(codec, group[0]!)
      );
    for (const [at, payload] of payloads.entries()) {
      if (script.extra !== undefined) await write(packet(script.extra.type, script.extra.payload));
      const bytes = packet(
        (script.mpegTs ? 33 : 96) | (at === payloads.length - 1 ? 0x80 : 0),
        payload,
      );
      if (!script.lost?.(index, at, payloads.length)) await write(bytes);
    }
  }
}

/** NAL units, several in a row where they fit into one packet. */
function grouped(nals: readonly Uint8Array[], most: number): Uint8Array[][] {
  const groups: Uint8Array[][] = [];
  let room = 0;
  for (const nal of nals) {
    const group = groups.at(-1);
    if (group === undefined || group.length === most || nal.length + 2 > room) {
      groups.push([nal]);
      room = MOST_PAYLOAD - 4 - nal.length;
    } else {
      group.push(nal);
      room -= nal.length + 2;
    }
  }
  return groups;
}

/** Several NAL units in one payload (STAP-A, RFC 6184; aggregation packet, RFC 7798). */
function aggregate(codec: VideoCodec, nals: readonly Uint8Array[]): Uint8Array {
  const header = codec === "h264" ? [0x60 | 24] : [48 << 1, 1];
  return Uint8Array.from([
    ...header,
    ...nals.flatMap((nal) => [nal.length >> 8, nal.length & 255, ...nal]),
  ]);
}

/** A NAL unit as it is, or in fragments (FU-A, RFC 6184; fragmentation unit, RFC 7798). */
function fragments(codec: VideoCodec, nal: Uint8Array): Uint8Array[] {
  if (nal.length <= MOST_PAYLOAD) return [nal];
  const [first = 0, second = 0] = nal;
  const [head, type] = codec === "h264"
    ? [[first & 0xe0 | 28], first & 0x1f]
    : [[first & 0x81 | 49 << 1, second], first >> 1 & 0x3f];
  const pieces: Uint8Array[] = [];
  for (let at = head.length; at < nal.length; at += MOST_PAYLOAD) {
    const body = nal.subarray(at, at + MOST_PAYLOAD);
    const flags = (at === head.length ? 0x80 : 0) | (at + MOST_PAYLOAD >= nal.length ? 0x40 : 0);
    pieces.push(new Uint8Array([...head, flags | type, ...body]));
  }
  return pieces;
}

/** RTSP servers that break every rule: frames come out where there are any, else a clear message. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { SourceError } from "../../cameras/source.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { withFolder } from "../support/folder.ts";
import {
  describeAnswer,
  type RtspScript,
  sdp,
  withScriptedRtsp,
} from "../support/scripted_rtsp.ts";
import { makeVideo } from "../support/videos.ts";
import { hasIpv6, hurriedClock, runToMemory, take } from "./kit.ts";
import { PATIENCE_MS } from "../support/until.ts";

const before = () => systemClock.sleep(4);
const AUDIO = "m=audio 0 RTP/AVP 0\r\na=control:track2\r\n";
const H264 = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n";
const PASSWORD = "a@b:c/d%e?f#g";

/** Answers one method in its own way. */
function only(method: string, text: (cseq: string) => string): Pick<RtspScript, "answer"> {
  return { answer: (asked, cseq) => asked === method ? text(cseq) : undefined };
}

const status = (line: string) => (cseq: string) => `RTSP/1.0 ${line}\r\nCSeq: ${cseq}\r\n\r\n`;
const moved = (to: string) => (cseq: string) =>
  `RTSP/1.0 302 Moved\r\nCSeq: ${cseq}\r\nLocation: ${to}\r\n\r\n`;

const GOOD: Readonly<Record<string, Omit<RtspScript, "units">>> = {
  "packets of unknown channels, cut-off RTP, RTCP nonsense": {
    noise: Uint8Array.from([
      ...[36, 9, 0, 2, 1, 1],
      ...[36, 0, 0, 3, 0x80, 96, 0],
      ...[36, 1, 0, 5, 0xff, 0xff, 0, 1, 2],
    ]),
  },
  "sound and metadata before the video": only("DESCRIBE", (cseq) =>
    describeAnswer(
      cseq,
      sdp(`${AUDIO}m=application 0 RTP/AVP 107\r\na=control:track3\r\n${H264}`),
    )),
  "no parameter sets in the description": only(
    "DESCRIBE",
    (cseq) => describeAnswer(cseq, sdp(H264)),
  ),
  "headers in odd letters, without blanks": only("DESCRIBE", (cseq) => {
    const body = sdp();
    return `RTSP/1.0 200 OK\r\ncseq:${cseq}\r\nCONTENT-TYPE:application/sdp\r\n` +
      `content-length:${body.length}\r\n\r\n${body}`;
  }),
  "answers of one byte at a time, folded, with line feeds alone": {
    pieces: 1,
    ...only("SETUP", (cseq) =>
      `RTSP/1.0 200 OK\nCSeq: ${cseq}\nSession: 7;\n timeout=60\n` +
      `Transport: RTP/AVP/TCP;unicast;\n\tinterleaved=0-1\n\n`),
  },
  "50 KB of headers": only(
    "PLAY",
    (cseq) => `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nSession: 7\r\nX: ${"x".repeat(50_000)}\r\n\r\n`,
  ),
  "wrong numbers, no reasons, interim answers, a body where none belongs": {
    answer: (method, cseq) => {
      const interim = `RTSP/1.0 100 Continue\r\nCSeq: ${cseq}\r\n\r\n\r\n`;
      if (method === "OPTIONS") return `${interim}RTSP/1.0 200\r\nCSeq: 99\r\n\r\n`;
      if (method !== "PLAY") return undefined;
      return `${interim}RTSP/1.0 200 OK\r\nSession: 7\r\nContent-Length: 5\r\n\r\nhello`;
    },
  },
  "lengths that are no numbers": only(
    "PLAY",
    () => "RTSP/1.0 200 OK\r\nSession: 7\r\nContent-Length: -5\r\ncontent-length: all\r\n\r\n",
  ),
  "packets before the answer to PLAY": only(
    "PLAY",
    (cseq) =>
      "$\0\0\x0d\x80\x60\0\x01\0\0\0\0\0\0\0\x07\x09".repeat(9) +
      `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nSession: 7\r\n\r\n`,
  ),
  "questions of the server between packets": {
    noise: new TextEncoder().encode("OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 3\r\n\r\n"),
  },
  ...(hasIpv6() ? { "IPv6": { hostname: "::1" } } : {}),
};

Deno.test("evil RTSP: what holds video gives it", async () => {
  await withFolder(async (folder) => {
    const film = join(folder, "a.mp4");
    await makeVideo(film, { frames: 20 });
    const units = (await take(makeSource(film, { codec: "copy" }))).map(({ value }) => value);
    for (const [name, script] of Object.entries(GOOD)) {
      await withScriptedRtsp({ units, before, ...script }, async (url) => {
        const images = await take(makeSource(url), 5);
        assert.equal(images.length, 5, name);
      });
    }
    const expected = `Basic ${btoa(`user:${PASSWORD}`)}`;
    const login: Omit<RtspScript, "units"> = {
      answer: (method, cseq, request) =>
        method === "OPTIONS" || request.includes(`Authorization: ${expected}`)
          ? undefined
          : `RTSP/1.0 401 No\r\nCSeq: ${cseq}\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n`,
    };
    await withScriptedRtsp({ units, before, ...login }, async (url) => {
      const withPassword = url.replace("//", `//user:${encodeURIComponent(PASSWORD)}@`);
      assert.equal((await take(makeSource(withPassword), 3)).length, 3);
    });
  });
});

/** Ends the video before its first frame. */
const silent = () => Promise.resolve(false);

const BAD: Readonly<Record<string, readonly [RegExp, Omit<RtspScript, "units">]>> = {
  "200 to everything, without a description": [/does not send video/, {
    answer: (_, cseq) => status("200 OK")(cseq),
  }],
  "a description without tracks": [
    /does not send video|holds no video/,
    only("DESCRIBE", (cseq) => describeAnswer(cseq, sdp(""))),
  ],
  "sound alone": [/holds no video/, {
    answer: (method, cseq) =>
      ({ DESCRIBE: describeAnswer(cseq, sdp(AUDIO)), PLAY: status("454 Gone")(cseq) })[method],
  }],
  "a codec that does not exist": [
    /no video|no decoder/,
    only("DESCRIBE", (cseq) => describeAnswer(cseq, sdp(H264.replace("H264", "H999")))),
  ],
  "a description of nonsense": [
    /no video/,
    only("DESCRIBE", (cseq) => describeAnswer(cseq, "\0=\r\n".repeat(100))),
  ],
  "a description that is promised and never comes": [
    /no video came within 0.4 s/,
    only(
      "DESCRIBE",
      (cseq) => `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nContent-Length: 99999\r\n\r\nv=0\r\n`,
    ),
  ],
  "a description of terabytes": [
    /answer has 999999999999 bytes: at most 1048576/,
    only(
      "DESCRIBE",
      (cseq) => `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nContent-Length: 999999999999\r\n\r\nv=0`,
    ),
  ],
  "headers without an end": [
    /headers exceed 65536 bytes/,
    only("DESCRIBE", () => `RTSP/1.0 200 OK\r\n${"X: y\r\n".repeat(20_000)}`),
  ],
  "a header without an end": [
    /headers exceed 65536 bytes/,
    only("OPTIONS", () => `RTSP/1.0 200 OK\r\nX: ${"x".repeat(99_000)}`),
  ],
  "a redirect without a place": [/answers 300 Many/, only("PLAY", status("300 Many"))],
  "a login that was not offered": [/access is forbidden/, only("DESCRIBE", status("401 No"))],
  "forbidden": [/access is forbidden/, only("SETUP", status("403 Forbidden"))],
  "not found": [/has no such stream/, only("DESCRIBE", status("404 Not Found"))],
  "unavailable": [/answers 503 Busy/, only("DESCRIBE", status("503 Busy"))],
  "a redirect to a file": [
    /redirects to file:/,
    only("DESCRIBE", moved("file:///etc/hostname")),
  ],
  "TCP refused": [/461 .*rtsp\+udp:\/\//, only("SETUP", status("461 Unsupported Transport"))],
  "SETUP refused": [
    /answers 454 Session Not Found/,
    only("SETUP", status("454 Session Not Found")),
  ],
  "SETUP with UDP where TCP was asked for": [
    /Cannot open/,
    only(
      "SETUP",
      (cseq) =>
        `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nSession: 7\r\nTransport: RTP/AVP;unicast\r\n\r\n`,
    ),
  ],
  "PLAY refused": [/answers 455 Method Not Valid/, only("PLAY", status("455 Method Not Valid"))],
  "another protocol": [/does not speak RTSP/, { answer: () => "SSH-2.0-x\r\n\r\n" }],
};

Deno.test("evil RTSP: what holds none says why, without waiting for ever", async () => {
  const wrong: string[] = [];
  for (const [name, [message, script]] of Object.entries(BAD)) {
    await withScriptedRtsp({ units: [], before: silent, ...script }, async (url) => {
      const openTimeoutMs = message.source.startsWith("no video came") ? 400 : PATIENCE_MS;
      const images = take(makeSource(url, { openTimeoutMs }), 1);
      const error = await images.then(() => undefined, (reason) => reason);
      if (error instanceof SourceError && message.test(error.message)) return;
      wrong.push(`${name}: ${error?.message}`);
    });
  }
  assert.deepEqual(wrong, []);
});

/** What a server does with an answer to its Digest challenge. */
function verified(request: string, method: string): boolean {
  const field = (name: string) => new RegExp(`\\b${name}="?([^",]+)`).exec(request)?.[1] ?? "";
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const proof = [
    ...[hash(`user:cam:${PASSWORD}`), "abc", field("nc"), field("cnonce"), "auth"],
    hash(`${method}:${field("uri")}`),
  ];
  return field("algorithm") === "SHA-256" && field("response") === hash(proof.join(":"));
}

Deno.test("RTSP: a login with SHA-256 alone, and a wrong password", async () => {
  await withFolder(async (folder) => {
    const film = join(folder, "a.mp4");
    await makeVideo(film, { frames: 20 });
    const units = (await take(makeSource(film, { codec: "copy" }))).map(({ value }) => value);
    const challenge = 'Digest realm="cam", nonce="abc", algorithm=SHA-256, qop="auth"';
    const script: RtspScript = {
      units,
      before,
      answer: (method, cseq, request) =>
        method === "OPTIONS" || verified(request, method)
          ? undefined
          : `RTSP/1.0 401 No\r\nCSeq: ${cseq}\r\nWWW-Authenticate: ${challenge}\r\n\r\n`,
    };
    await withScriptedRtsp(script, async (url) => {
      const login = (word: string) => url.replace("//", `//user:${encodeURIComponent(word)}@`);
      assert.equal((await take(makeSource(login(PASSWORD)), 3)).length, 3);
      await assert.rejects(
        take(makeSource(login("canary")), 1),
        (error) =>
          error instanceof SourceError && error.code === "UNAUTHORIZED" &&
          !error.message.includes("canary"),
      );
    });
  });
});

Deno.test("RTSP: packets are life: a stream whose keyframe is far away is not opened again", async () => {
  await withFolder(async (folder) => {
    const film = join(folder, "a.mp4");
    await makeVideo(film, { frames: 10 });
    const [keyframe, next] = (await take(makeSource(film, { codec: "copy" })))
      .map(({ value }) => value);
    const units = [...Array<Uint8Array>(80).fill(next!), keyframe!, next!, next!];
    await withScriptedRtsp({ units, before: () => systemClock.sleep(60) }, async (url) => {
      const settings = { stallMs: 4_000 };
      const { summary, records } = await runToMemory(url, { settings, limit: 2 });
      assert.equal(summary.reopened, 0);
      assert.equal(records[0]!.headers["keyframe"], "1");
    });
  });
});

Deno.test("RTSP: bytes between packets are left out and reported", async () => {
  await withFolder(async (folder) => {
    const film = join(folder, "a.mp4");
    await makeVideo(film, { frames: 20 });
    const units = (await take(makeSource(film, { codec: "copy" }))).map(({ value }) => value);
    const script: RtspScript = {
      units,
      // Dollar signs that begin no packet, a capital letter.
      noise: Uint8Array.from([0, 36, 9, 255, 255, 65, 36, 0, 0, 1, 7]),
      before: async (index) => {
        await before();
        return index < 30;
      },
    };
    await withScriptedRtsp(script, async (url) => {
      const { summary, records, reports } = await runToMemory(url, {
        settings: { codec: "copy" },
        clock: hurriedClock,
        limit: 25,
      });
      assert.deepEqual(
        records.map(({ value }) => value.length),
        records.map((_, i) => records[i % 20]!.value.length),
      );
      assert.equal(summary.reopened, 0, reports.join());
      assert.ok(reports.some((line) => line.includes("bytes between packets")), reports.join());
    });
  });
});

/** What becomes of a hidden redirection: it is refused, or stays hidden. */
const HIDDEN = /^video$|it redirects to|no video/;

function hiddenRedirects(
  to: (cseq: string) => string,
): Readonly<Record<string, NonNullable<RtspScript["answer"]>>> {
  const head = (cseq: string) => `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\n`;
  const after = (beginning: string, end = "") => (method: string, cseq: string) =>
    method === "OPTIONS" ? `${head(cseq)}${beginning}${to(cseq)}${end}` : undefined;
  const body = to("2").length;
  return {
    "right after an answer": after("\r\n"),
    "after a packet before the video": (method, cseq) =>
      method === "OPTIONS"
        ? `$\0\0\0${head(cseq)}\r\n`
        : only("DESCRIBE", to).answer!(method, cseq, ""),
    "in a body whose length FFmpeg does not see": after(`Content-Length : ${body}\r\n\r\n`),
    "in a body whose length is too far away for FFmpeg": after(
      `Content-Length:${" ".repeat(5_000)}${body}\r\n\r\n`,
    ),
    "behind a line that is empty to FFmpeg": after("\r\r\n"),
    "behind a line that begins with a zero": after("\0X: y\r\n"),
    "behind a packet among the headers": after("$\0\0\x02ab\r\n"),
  };
}

Deno.test("RTSP: a server sends FFmpeg to no other host, and a password never goes there", async () => {
  await withFolder(async (folder) => {
    const film = join(folder, "a.mp4");
    await makeVideo(film, { frames: 20 });
    const units = (await take(makeSource(film, { codec: "copy" }))).map(({ value }) => value);
    let asked = 0;
    const other: RtspScript = {
      units,
      before,
      // A challenge that would have the password sent as it is.
      answer: (_, cseq, request) => {
        asked++;
        assert.ok(!request.includes("Authorization"), request);
        return `RTSP/1.0 401 No\r\nCSeq: ${cseq}\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n`;
      },
    };
    const refused = (pattern: RegExp) => (error: unknown) =>
      error instanceof SourceError && pattern.test(error.message) &&
      !error.message.includes("canary");
    await withScriptedRtsp(other, async (to) => {
      const script = { units, before, ...only("DESCRIBE", moved(to)) };
      await withScriptedRtsp(script, async (url) => {
        for (const login of ["user:canary@", ""]) {
          await assert.rejects(
            take(makeSource(url.replace("//", `//${login}`)), 1),
            refused(/: it redirects to rtsp:.*\/live, which is not followed; use that address/),
          );
        }
      });
      // Redirections that the server was not asked for, or hides.
      for (const [how, answer] of Object.entries(hiddenRedirects(moved(to)))) {
        await withScriptedRtsp({ units, before, answer }, async (url) => {
          const outcome = await take(makeSource(url, { openTimeoutMs: 3_000 }), 1)
            .then(() => "video", (error) => error.message as string);
          assert.match(outcome, HIDDEN, how);
        });
      }
      assert.equal(asked, 0);
    });
  });
});

/** RTSP servers that break every rule: frames come out where there are any, else a clear message. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import type { CameraSettings } from "../../cameras/settings.ts";
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
  "sound alone": [
    /holds no video/,
    only("DESCRIBE", (cseq) => describeAnswer(cseq, sdp(AUDIO))),
  ],
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
  "not found": [/has no such stream/, only("DESCRIBE", status("404 Not Found"))],
  "unavailable": [/answers 503 Busy/, only("DESCRIBE", status("503 Busy"))],
  "a redirect to a file": [
    /Cannot open/,
    only("DESCRIBE", moved("file:///etc/hostname")),
  ],
  "TCP refused": [/461 .*rtsp\+udp:\/\//, only("SETUP", status("461 Unsupported Transport"))],
  "SETUP refused": [/454|Cannot open/, only("SETUP", status("454 Session Not Found"))],
  "SETUP with UDP where TCP was asked for": [
    /Cannot open/,
    only(
      "SETUP",
      (cseq) =>
        `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nSession: 7\r\nTransport: RTP/AVP;unicast\r\n\r\n`,
    ),
  ],
  "PLAY refused": [/Cannot open/, only("PLAY", status("455 Method Not Valid"))],
  "another protocol": [/Cannot (?:open|read) stream/, { answer: () => "SSH-2.0-x\r\n\r\n" }],
};

Deno.test("evil RTSP: what holds none says why, without waiting for ever", async () => {
  const wrong: string[] = [];
  for (const [name, [message, script]] of Object.entries(BAD)) {
    await withScriptedRtsp({ units: [], before: silent, ...script }, async (url) => {
      const images = take(makeSource(url, { openTimeoutMs: 400, stallMs: 1_000 }), 1);
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
    await withScriptedRtsp({ units, before: () => systemClock.sleep(30) }, async (url) => {
      const settings = { stallMs: 2_000 };
      const { summary, records } = await runToMemory(url, { settings, limit: 2 });
      assert.equal(summary.reopened, 0);
      assert.equal(records[0]!.headers["keyframe"], "1");
    });
  });
});

Deno.test("RTSP: bytes between packets are left out, after a new connection at most, and reported", async () => {
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
      const settings: CameraSettings = { codec: "copy", stallMs: 1_000 };
      const run = (source: string, limit: number) =>
        runToMemory(source, { settings, clock: hurriedClock, limit });
      const told = (reports: readonly string[]) =>
        reports.some((line) => line.includes("bytes between packets"));
      // The relay's from the start: nothing is lost.
      const login = await run(url.replace("//", "//user:canary@"), 25);
      assert.deepEqual(
        login.records.map(({ value }) => value.length),
        login.records.map((_, i) => login.records[i % 20]!.value.length),
      );
      assert.equal(login.summary.reopened, 0, login.reports.join());
      assert.ok(told(login.reports));
      // FFmpeg's own at first.
      const { summary, reports } = await run(url, 40);
      assert.ok(summary.reopened > 0 && told(reports), reports.join());
    });
  });
});

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
        await assert.rejects(
          take(makeSource(url.replace("//", "//user:canary@")), 1),
          refused(/: it redirects to rtsp:.*\/live, which is not followed; use that address/),
        );
        assert.equal(asked, 0);
      });
    });
    await withScriptedRtsp({ units, before }, async (to) => {
      const script = { units, before, ...only("DESCRIBE", moved(to)) };
      await withScriptedRtsp(script, async (url) => {
        const message = /: it redirects to 127\.0\.0\.1:\d+, another host/;
        await assert.rejects(take(makeSource(url), 1), refused(message));
      });
    });
  });
});

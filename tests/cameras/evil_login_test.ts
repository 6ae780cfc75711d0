/** RTSP servers with odd logins, and sessions with odd answers: the video comes all the same. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { SourceError } from "../../cameras/source.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { accessUnits } from "../support/access_units.ts";
import { withFolder } from "../support/folder.ts";
import { type RtspScript, withScriptedRtsp } from "../support/scripted_rtsp.ts";
import { makeVideo } from "../support/videos.ts";
import { take } from "./kit.ts";

const PASSWORD = "Käse: 100%";

/** A server's Digest: nonces, how it asks, and whether a request proves the password. */
interface Digest {
  readonly hash: "md5" | "sha256" | "sha512-256";
  /** What follows the nonce in the challenge. */
  readonly more: string;
  readonly realm?: string;
  /** The nonces of the server, one after the other; each is good for `uses` requests. */
  readonly uses?: number;
  /** Says that a nonce was too old. */
  readonly stale?: boolean;
}

const DIGESTS: Readonly<Record<string, Digest>> = {
  "the oldest form, without qop": { hash: "md5", more: "" },
  "an empty qop": { hash: "md5", more: ', qop=""' },
  "MD5-sess": { hash: "md5", more: ', algorithm="MD5-sess", qop="auth-int, auth"' },
  "MD5-sess without qop": { hash: "md5", more: ", algorithm=MD5-sess" },
  "SHA-256-sess": { hash: "sha256", more: ", qop=auth, algorithm=SHA-256-sess" },
  "SHA-512-256": { hash: "sha512-256", more: ',\r\n\tqop="auth", algorithm=SHA-512-256' },
  "a realm in Latin-1": { hash: "md5", more: ', qop="auth"', realm: "T\xfcr \xa9" },
  "a nonce for each request": { hash: "md5", more: ', qop="auth"', uses: 1, stale: true },
  "nonces that end without a word": { hash: "sha256", more: ", algorithm=SHA-256", uses: 2 },
};

/** Answers requests with 401 until they prove the password, as RFC 7616 says. */
function guarded(
  { hash, more, realm = "cam", uses = Infinity, stale }: Digest,
): RtspScript["answer"] {
  const digest = (text: string) => createHash(hash).update(text, "latin1").digest("hex");
  const word = String.fromCharCode(...new TextEncoder().encode(PASSWORD));
  const secret = digest(`user:${realm}:${word}`);
  let nonce = 0, used = 0;
  return (method, cseq, request) => {
    const field = (name: string) =>
      new RegExp(`\\b${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^",\\s]+))`).exec(request)?.slice(1)
        .find((text) => text !== undefined) ?? "";
    const session = /-sess/.test(more) ? digest(`${secret}:${nonce}:${field("cnonce")}`) : secret;
    const counted = field("qop") === "" ? [] : [field("nc"), field("cnonce"), "auth"];
    const proof = digest(
      [session, nonce, ...counted, digest(`${method}:${field("uri")}`)].join(":"),
    );
    const current = field("nonce") === String(nonce) && used < uses;
    const fresh = counted.length === 0 || parseInt(field("nc"), 16) === used + 1;
    if (current && fresh && field("response") === proof) {
      used++;
      return undefined;
    }
    if (current && !fresh) return `RTSP/1.0 400 Replayed\r\nCSeq: ${cseq}\r\n\r\n`;
    const old = stale && field("nonce") !== "" && used >= uses ? ", stale=true" : "";
    nonce++;
    used = 0;
    return `RTSP/1.0 401 No\r\nCSeq: ${cseq}\r\n` +
      `WWW-Authenticate: Digest realm="${realm}", nonce="${nonce}"${more}${old}\r\n\r\n`;
  };
}

async function withUnits(body: (units: readonly Uint8Array[]) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const film = join(folder, "a.mp4");
    await makeVideo(film, { frames: 20 });
    await body((await take(makeSource(film, { codec: "copy" }))).map(({ value }) => value));
  });
}

const before = () => systemClock.sleep(4);
const login = (url: string, word: string) =>
  url.replace("//", `//user:${encodeURIComponent(word)}@`);

Deno.test("RTSP: Digest in every form, also where nonces end in the middle", async () => {
  await withUnits(async (units) => {
    const wrong: string[] = [];
    for (const [name, digest] of Object.entries(DIGESTS)) {
      const numbers: string[] = [];
      const guard = guarded(digest)!;
      const answer: RtspScript["answer"] = (method, cseq, request) => {
        numbers.push(cseq);
        return guard(method, cseq, request);
      };
      await withScriptedRtsp({ units, before, answer }, async (url) => {
        const images = take(makeSource(login(url, PASSWORD)), 3);
        const { length } = await images.catch((error) => {
          wrong.push(`${name}: ${error}`);
          return [1, 2, 3];
        });
        assert.equal(length, 3, name);
        assert.equal(new Set(numbers).size, numbers.length, "no number is used twice");
      });
    }
    assert.deepEqual(wrong, []);
  });
});

Deno.test("RTSP: a server that calls every nonce too old gets few tries", async () => {
  let asked = 0;
  const answer: RtspScript["answer"] = (method, cseq) => {
    if (method === "OPTIONS") return undefined;
    return `RTSP/1.0 401 No\r\nCSeq: ${cseq}\r\nWWW-Authenticate: Digest realm="x", ` +
      `nonce="${++asked}", stale=true\r\n\r\n`;
  };
  await withScriptedRtsp({ units: [], answer }, async (url) => {
    await assert.rejects(
      take(makeSource(login(url, "canary")), 1),
      (error) =>
        error instanceof SourceError && error.code === "UNAUTHORIZED" &&
        !error.message.includes("canary"),
    );
    assert.equal(asked, 3);
  });
});

Deno.test("RTSP: keep-alives are sent, and a stream goes on whatever a server answers to them", async () => {
  const answers: Readonly<Record<string, (cseq: string) => string>> = {
    "nothing": () => "",
    "an error": (cseq) => `RTSP/1.0 501 No\r\nCSeq: ${cseq}\r\n\r\n`,
    "forbidden": (cseq) => `RTSP/1.0 403 No\r\nCSeq: ${cseq}\r\n\r\n`,
    "a redirect": (cseq) => `RTSP/1.0 302 Go\r\nCSeq: ${cseq}\r\nLocation: rtsp://a/\r\n\r\n`,
    "another login": (cseq) =>
      `RTSP/1.0 401 No\r\nCSeq: ${cseq}\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n`,
  };
  await withUnits(async (units) => {
    await Promise.all(
      Object.entries(answers).map(async ([name, answer]) => {
        let playing = false, kept = 0;
        const script: RtspScript = {
          units,
          before: () => systemClock.sleep(40),
          answer(method, cseq) {
            if (playing) {
              kept++;
              return answer(cseq);
            }
            playing = method === "PLAY";
            const session = `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nSession: 7;timeout=2\r\n`;
            if (method === "SETUP") {
              return `${session}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n`;
            }
            return playing ? `${session}\r\n` : undefined;
          },
        };
        await withScriptedRtsp(script, async (url) => {
          const images = await take(makeSource(login(url, "canary")), 80);
          assert.equal(images.length, 80, name);
          assert.ok(kept >= 2, `${name}: ${kept}`);
        });
      }),
    );
  });
});

Deno.test("RTSP: a redirection on the same server is followed with the login, five times", async () => {
  const units = await accessUnits({ codec: "h264", frames: 8, gop: 8 });
  const asked: string[] = [];
  let url = "";
  const to = (n: number, path: string) => n === 0 ? `/hop1` : url.replace("/live", path);
  const script = (hops: number): RtspScript => ({
    units,
    before: () => systemClock.sleep(4),
    answer: (method, cseq, request) => {
      if (method !== "DESCRIBE") return undefined;
      const hop = Number(/\/hop(\d+)/.exec(request)?.[1] ?? 0);
      asked.push(`${hop} ${request.includes("Authorization: Basic")}`);
      if (!request.includes("Authorization")) {
        return `RTSP/1.0 401 No\r\nCSeq: ${cseq}\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n`;
      }
      if (hop === hops) return undefined;
      const place = to(hop, `/hop${hop + 1}`);
      return `RTSP/1.0 302 Go\r\nCSeq: ${cseq}\r\nLocation: ${place}\r\n\r\n`;
    },
  });
  const open = (hops: number) =>
    withScriptedRtsp(script(hops), async (address) => {
      url = address;
      const source = makeSource(url.replace("//", "//user:canary@"), { codec: "copy" });
      assert.equal((await take(source, 8)).length, 8);
    });
  await open(5);
  assert.deepEqual(
    asked,
    [0, 1, 2, 3, 4, 5].flatMap((hop) => [`${hop} false`, `${hop} true`]),
  );
  await assert.rejects(open(6), /it redirects more than 5 times/);
});

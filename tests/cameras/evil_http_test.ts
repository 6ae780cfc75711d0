/** HTTP servers that break every rule: pictures come out where there are any, else a clear message. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { checkSource, makeSource } from "../../cameras/open.ts";
import type { CameraSettings } from "../../cameras/settings.ts";
import { SourceError } from "../../cameras/source.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { type ScriptedExchange, withScriptedHttp } from "../support/scripted_http.ts";
import { hasIpv6, hurriedClock, runToMemory, take } from "./kit.ts";

const data = new Uint8Array(48 * 32).fill(90);
const picture = await encodeJpeg({ data, width: 48, height: 32, channels: 1 });
const OK = "HTTP/1.1 200 OK\r\n";
const MIXED = "Content-Type: multipart/x-mixed-replace; boundary=b\r\n";
const PART = "--b\r\nContent-Type: image/jpeg\r\n\r\n";

type Write = ScriptedExchange["write"];
const parts = async (write: Write, pieces?: number) => {
  for (const _ of [1, 2, 3]) {
    await write(PART, pieces);
    await write(picture, pieces);
    await write("\r\n", pieces);
  }
};

const GOOD: Readonly<Record<string, (write: Write) => Promise<void>>> = {
  "one byte at a time": async (write) => {
    await write(`${OK}${MIXED}\r\n`, 1);
    await parts(write, 1);
  },
  "line feeds alone, headers without a colon, folded, empty": async (write) => {
    await write(`HTTP/1.0 200\n${MIXED.trim()}\nnonsense\n folded: x\n: y\n\n`);
    await parts(write);
  },
  "a length of the whole stream that is too short": async (write) => {
    await write(`${OK}${MIXED}Content-Length: 60\r\n\r\n`);
    await parts(write);
  },
  "two lengths, one of them no number": async (write) => {
    await write(`${OK}Content-Type: image/x\r\nContent-Length: 1\r\nContent-Length: all\r\n\r\n`);
    await parts(write);
  },
  "100 Continue before the answer": async (write) => {
    await write(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n${OK}${MIXED}\r\n`,
    );
    await parts(write);
  },
  "chunks with extensions, cut anywhere, without the last one": async (write) => {
    await write(`${OK}${MIXED}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = async (bytes: Uint8Array) => {
      await write(`${bytes.length.toString(16).toUpperCase()};x="y"\r\n`);
      await write(bytes);
      await write("\r\n");
    };
    for (const _ of [1, 2, 3]) {
      await chunk(new TextEncoder().encode(PART.slice(0, 9)));
      await chunk(new TextEncoder().encode(PART.slice(9)));
      await chunk(picture.subarray(0, 100));
      await chunk(picture.subarray(100));
    }
  },
  "a boundary with quotes, blanks and hyphens": async (write) => {
    await write(`${OK}Content-Type: multipart/mixed ;boundary = "--b "\r\n\r\n`);
    await parts(write);
  },
  "megabytes of zeros between pictures": async (write) => {
    await write(`${OK}${MIXED}\r\n`);
    for (const _ of [1, 2, 3]) {
      await write(new Uint8Array(900_000));
      await write(picture);
    }
  },
};

Deno.test("evil HTTP: what holds pictures gives them", async () => {
  for (const [name, script] of Object.entries(GOOD)) {
    await withScriptedHttp(({ write }) => script(write), async (host) => {
      const images = await take(makeSource(`http://${host}/`), 3);
      assert.deepEqual(images.map(({ value }) => value), [picture, picture, picture], name);
    });
  }
});

const forever = () => new Promise<void>(() => {});
const BAD: Readonly<Record<string, readonly [RegExp, (write: Write) => Promise<void>]>> = {
  "nothing": [/closes the connection/, () => Promise.resolve()],
  "another protocol": [/does not speak HTTP/, (write) => write("SSH-2.0-x\r\n")],
  "a picture without any head": [/does not speak HTTP/, (write) => write(picture)],
  "headers without an end": [/headers exceed 65536 bytes/, async (write) => {
    await write(OK);
    for (;;) await write(`X-Filler: ${"x".repeat(1000)}\r\n`);
  }],
  "one header without an end": [/headers exceed 65536 bytes/, async (write) => {
    await write(`${OK}X-Filler: `);
    for (;;) await write("x".repeat(1000));
  }],
  "half a head": [/answer is cut off/, (write) => write(`${OK}Content-Ty`)],
  "a head, then silence": [/no answer within 0.3 s \(--open-timeout\)/, async (write) => {
    await write(OK);
    await forever();
  }],
  "100 Continue for ever": [/no answer within 0.3 s/, async (write) => {
    for (;;) await write("HTTP/1.1 100 Continue\r\n\r\n");
  }],
  "a redirect without a place": [/answers 302/, (write) => write("HTTP/1.1 302 Found\r\n\r\n")],
  "a redirect to nonsense": [
    /redirects to/,
    (write) => write("HTTP/1.1 301 Moved\r\nLocation: http://[x\r\n\r\n"),
  ],
  "no content": [
    /something unnamed without a picture/,
    (write) => write("HTTP/1.1 204 No Content\r\n\r\n"),
  ],
  "pictures that were compressed on the way": [
    /sends image\/jpeg without a picture: .*, not compressed by gzip/,
    async (write) => {
      await write(`${OK}Content-Type: image/jpeg\r\nContent-Encoding: gzip\r\n\r\n`);
      await write(gzipSync(picture));
    },
  ],
  "a type without an end": [
    /sends image\/x{200,} ?… ?without a picture/,
    (write) => write(`${OK}Content-Type: image/${"x".repeat(60_000)}\r\n\r\n`),
  ],
  "a stream without pictures": [/no picture within/, async (write) => {
    await write(`${OK}${MIXED}\r\n`);
    for (;;) await write(new Uint8Array(60_000).fill(65));
  }],
  "a chunk of a negative length": [
    /without a picture/,
    (write) => write(`${OK}${MIXED}Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde`),
  ],
};

Deno.test("evil HTTP: what holds none says why, without waiting for ever", async () => {
  for (const [name, [message, script]] of Object.entries(BAD)) {
    const silent = message.source.startsWith("no answer");
    const settings: CameraSettings = { openTimeoutMs: silent ? 300 : 15_000 };
    const over = Promise.withResolvers<void>();
    const answer = ({ write }: ScriptedExchange) => Promise.race([script(write), over.promise]);
    await withScriptedHttp(answer, async (host) => {
      await assert.rejects(
        take(makeSource(`http://${host}/`, settings)),
        (error) => {
          assert.ok(error instanceof SourceError, `${name}: ${error}`);
          assert.match(error.message, message, `${name}: ${error.message}`);
          return true;
        },
      );
      over.resolve();
    });
  }
});

Deno.test("evil HTTP: a page in the place of a picture ends no camera that worked", async () => {
  let asked = 0;
  await withScriptedHttp(async ({ write }) => {
    if (++asked === 3) await write(`${OK}Content-Type: text/html\r\n\r\n<html>Starting…`);
    else {
      await write(`${OK}Content-Type: image/jpeg\r\n\r\n`);
      await write(picture);
    }
  }, async (host) => {
    const { records, summary } = await runToMemory(`http://${host}/snap`, {
      settings: { fps: 100 },
      clock: hurriedClock,
      limit: 4,
    });
    assert.equal(records.length, 4);
    assert.equal(summary.reopened, 1);
  });
});

Deno.test("passwords and hosts of every kind in an address: @ : / % and IPv6", async () => {
  const password = "a@b:c/d%e?f#g";
  const expected = `Basic ${btoa(`user:${password}`)}`;
  for (const hostname of ["127.0.0.1", ...(hasIpv6() ? ["::1"] : [])]) {
    await withScriptedHttp(
      async ({ request, write }) => {
        if (!request.includes(`Authorization: ${expected}\r\n`)) {
          await write('HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n');
          return;
        }
        await write(`${OK}\r\n`);
        await write(picture);
      },
      async (host) => {
        const url = `http://user:${encodeURIComponent(password)}@${host}/snap`;
        assert.equal((await take(makeSource(url), 1)).length, 1);
        assert.throws(
          () => checkSource(`http://user:p/w@${host}/`),
          /in a password %2F for \/, %3F for \?, %23 for #/,
        );
      },
      hostname,
    );
  }
});

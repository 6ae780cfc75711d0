import assert from "node:assert/strict";
import { join } from "node:path";
import { connect } from "../../cameras/net/connection.ts";
import { makeSource, settingRemarks } from "../../cameras/open.ts";
import { SourceError } from "../../cameras/source.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { withFolder } from "../support/folder.ts";
import { RtspServer } from "../support/rtsp.ts";
import { take } from "./kit.ts";

const CLIP = join(import.meta.dirname!, "..", "..", "clips", "bigbuckbunny.mp4");
const PASSWORD = "canary-9f3";

/** A key and a certificate that signed itself, as cameras have them; both in one file as well. */
async function certificate(folder: string, name: string, alternative: string) {
  const [key, cert, both] = ["key", "cert", "both"].map((part) =>
    join(folder, `${name}-${part}.pem`)
  );
  const { success } = await new Deno.Command("openssl", {
    args: [
      ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=camera".split(" "),
      ...["-addext", `subjectAltName=${alternative}`, "-keyout", key!, "-out", cert!],
    ],
    stderr: "null",
  }).output();
  assert.ok(success);
  const text = await Deno.readTextFile(key!) + await Deno.readTextFile(cert!);
  await Deno.writeTextFile(both!, text);
  return { key: key!, cert: cert!, both: both! };
}

const refused = (error: unknown) =>
  error instanceof SourceError && error.code === "UNREACHABLE" &&
  /certificate|self.signed|altnames/i.test(error.message) && /--tls-ca FILE/.test(error.message) &&
  !error.message.includes(PASSWORD);

Deno.test("TLS: certificates are checked over HTTP and RTSP, unless told otherwise", async () => {
  const picture = await encodeJpeg({
    data: new Uint8Array(48 * 32),
    width: 48,
    height: 32,
    channels: 1,
  });
  await withFolder(async (folder) => {
    const own = await certificate(folder, "own", "IP:127.0.0.1");
    const other = await certificate(folder, "other", "IP:127.0.0.1");
    const elsewhere = await certificate(folder, "elsewhere", "DNS:camera.example");
    for (const [served, trusted] of [[own, other], [elsewhere, elsewhere]] as const) {
      const web = Deno.serve({
        hostname: "127.0.0.1",
        port: 0,
        onListen() {},
        cert: await Deno.readTextFile(served.cert),
        key: await Deno.readTextFile(served.key),
      }, () => new Response(picture, { headers: { "content-type": "image/jpeg" } }));
      const rtsp = await RtspServer.start(CLIP, {
        tls: served.both,
        user: "anna.b",
        password: PASSWORD,
      });
      try {
        const urls = [
          `https://127.0.0.1:${web.addr.port}/`,
          `rtsps://anna.b:${PASSWORD}@127.0.0.1:${rtsp.port}/clip`,
        ];
        for (const url of urls) {
          await assert.rejects(take(makeSource(url), 1), refused);
          await assert.rejects(take(makeSource(url, { tlsCa: trusted.cert }), 1), refused);
          assert.equal((await take(makeSource(url, { tlsInsecure: true }), 1)).length, 1);
          if (served === own) {
            assert.equal((await take(makeSource(url, { tlsCa: own.cert }), 1)).length, 1);
          }
        }
        for (const url of urls) {
          const [remark] = settingRemarks(url, { tlsInsecure: true });
          assert.match(remark!, /^WARNING: certificates are not checked/);
        }
      } finally {
        await rtsp.kill();
        await web.shutdown();
      }
    }
    await assert.rejects(
      take(makeSource("https://127.0.0.1:1/", { tlsCa: join(folder, "none.pem") }), 1),
      /Cannot read the certificates in .*none\.pem: there is no such file/,
    );
    const tlsCa = join(folder, "empty.pem");
    await Deno.writeTextFile(tlsCa, "");
    await assert.rejects(
      take(makeSource("https://127.0.0.1:1/", { tlsCa }), 1),
      /Cannot read the certificates in .*empty\.pem: expected PEM/,
    );
  });
});

Deno.test("TLS: a connection that is given up while its certificates are read is never made", async () => {
  await withFolder(async (folder) => {
    const tlsCa = join(folder, "ca.pem");
    await Deno.writeTextFile(tlsCa, "-----BEGIN CERTIFICATE-----");
    // It accepts and says nothing.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const giveUp = new AbortController();
    const peer = { hostname: "127.0.0.1", port, secure: true, tlsCa };
    const connected = connect(peer, giveUp.signal);
    giveUp.abort(new Error("given up"));
    await assert.rejects(connected, /given up/);
  });
});

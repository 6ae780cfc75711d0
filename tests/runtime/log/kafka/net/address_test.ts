import assert from "node:assert/strict";
import { LogError } from "../../../../../runtime/log/log.ts";
import { openLog } from "../../../../../runtime/log/open.ts";
import { parseAddress } from "../../../../../runtime/log/kafka/net/address.ts";

const noFiles = (path: string) => Promise.reject(new Error(`No such file: ${path}`));

Deno.test("brokers, with and without ports", async () => {
  const { brokers, url, tls, credentials } = await parseAddress("kafka://a.example,b:9093,[::1]:1");
  assert.deepEqual(brokers, [
    { host: "a.example", port: 9092 },
    { host: "b", port: 9093 },
    { host: "::1", port: 1 },
  ]);
  assert.equal(url, "kafka://a.example:9092,b:9093,[::1]:1");
  assert.equal(tls, undefined);
  assert.equal(credentials, undefined);
});

Deno.test("login and TLS; the shown URL keeps the secrets", async () => {
  const files: Record<string, string> = {
    "/tls/ca.pem": "CA",
    "/tls/me": "CERT",
    "/tls/key": "KEY",
  };
  const address = await parseAddress(
    "kafka://us%40er:p%3Ass%2F@wo@rd@host:9092/?tls=true&sasl=scram-sha-512&ca=/tls/ca.pem&cert=/tls/me&key=/tls/key&servername=broker",
    (path) => Promise.resolve(files[path]!),
  );
  assert.deepEqual(address.credentials, {
    mechanism: "SCRAM-SHA-512",
    username: "us@er",
    password: "p:ss/@wo@rd",
  });
  assert.deepEqual(address.tls, { ca: "CA", cert: "CERT", key: "KEY", serverName: "broker" });
  assert.equal(
    address.url,
    "kafka://host:9092?tls=true&sasl=scram-sha-512&ca=/tls/ca.pem&servername=broker",
  );
});

Deno.test("what is wrong is said, what is secret is not", async () => {
  for (
    const [url, message] of [
      ["kafka://", /expected kafka:\/\//],
      ["kafka://a:b:c", /broker "a:b:c", expected host:port/],
      ["kafka://a:99999", /broker "a:99999"/],
      ["kafka://canary@a", /expected user:password@/],
      ["kafka://u:canary%ZZ@a", /expected % as %25/],
      ["kafka://u:canary@a?sasl=digest", /sasl is "digest", expected plain, scram-sha-256/],
      ["kafka://a?sasl=plain", /expected user:password@/],
      ["kafka://u:canary@a?tsl=true", /unknown parameter "tsl", expected tls, sasl/],
      ["kafka://a?tls=yes", /tls is "yes", expected true or false/],
      ["kafka://a?tls=false&ca=/x", /ca with tls=false, expected tls=true/],
      ["kafka://a?servername=b", /servername with tls=false, expected tls=true/],
      ["kafka://a?cert=/x", /expected both cert and key/],
      [
        "kafka://u:canary@a:0,b,c/d?e=1",
        /expected kafka:\/\//,
      ],
      [
        "kafka://u:canary@a:0,b?e=1&tls=maybe&sasl=x",
        /broker "a:0", .*; unknown parameter "e", .*; sasl is "x", .*; tls is "maybe", /,
      ],
      [
        "kafka://a?password=b&canary",
        /\?password=\*\*\*&\*\*\*": unknown parameter "password", .*; unknown parameter, /,
      ],
      ["kafka://u:canary@a?ca=/x", /cannot read ca "\/x": No such file/],
    ] as const
  ) {
    await assert.rejects(parseAddress(url, noFiles), (error: Error) => {
      assert.ok(error instanceof LogError && error.code === "INVALID", url);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("canary"), error.message);
      return true;
    });
  }
  for (const url of ["kfka://u:canary@host", "kafka//u:canary@host", "kafka ://u:canary@host"]) {
    await assert.rejects(openLog(url), (error: Error) => {
      assert.match(error.message, /^Cannot open log "k.*…": expected embedded:DIR or kafka:/);
      assert.ok(!error.message.includes("canary"));
      return true;
    });
  }
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  answerable,
  authorize,
  describeChallenges,
  Login,
  parseChallenges,
  splitCredentials,
} from "../../cameras/net/login.ts";

const credentials = { user: "Mufasa", password: "Circle of Life" };
const request = { method: "GET", uri: "/dir/index.html" };

Deno.test("passwords: a per cent sign that encodes nothing stands for itself", () => {
  assert.deepEqual(splitCredentials("http://me:100%@host/x"), {
    url: "http://host/x",
    credentials: { user: "me", password: "100%" },
  });
  assert.deepEqual(splitCredentials("http://m%40e:a%3Ab@host/x").credentials, {
    user: "m@e",
    password: "a:b",
  });
});

Deno.test("challenges: several in one header, in several headers, with commas in quotes", () => {
  const digest = 'Digest qop="auth", realm="IP Cam, \\"x\\"", nonce="n1", stale=FALSE';
  const ways = [
    [`${digest}, Basic realm="other"`],
    [`Basic realm="other", ${digest}`],
    [digest, 'Basic realm="other"'],
  ];
  for (const headers of ways) {
    const [first, second, ...rest] = answerable(parseChallenges(headers));
    assert.deepEqual(rest, []);
    assert.equal(first!.scheme, "digest");
    assert.equal(first!.parameters.get("realm"), 'IP Cam, "x"');
    assert.equal(second!.parameters.get("realm"), "other");
  }
  assert.deepEqual(parseChallenges(["Negotiate", "NTLM abc=="]).map(({ scheme }) => scheme), [
    "negotiate",
    "ntlm",
  ]);
});

Deno.test("challenges: the strongest that is known is answered first", () => {
  const digest = (algorithm: string) => `Digest realm="c", nonce="n", algorithm=${algorithm}`;
  const challenges = parseChallenges([
    "Negotiate",
    'Basic realm="c"',
    digest("MD5"),
    digest("SHA-512-256"),
    digest("FOO"),
    digest("SHA-256-sess"),
    'Digest realm="c", nonce="n", qop="auth-int"',
  ]);
  assert.deepEqual(
    answerable(challenges).map(({ scheme, parameters }) => parameters.get("algorithm") ?? scheme),
    ["SHA-512-256", "SHA-256-sess", "MD5", "basic"],
  );
  assert.equal(
    describeChallenges(challenges),
    "Negotiate, Basic, Digest (MD5), Digest (SHA-512-256), Digest (FOO), Digest (SHA-256)",
  );
});

Deno.test("digest: the answers of RFC 7616, for each algorithm and method", () => {
  const hashes = { "MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" };
  for (const [algorithm, name] of Object.entries(hashes)) {
    const [challenge] = parseChallenges([
      `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="n"`,
    ]);
    for (const method of ["GET", "DESCRIBE"]) {
      const header = authorize(challenge!, { ...request, method }, credentials);
      const field = (key: string) => new RegExp(`${key}="?([^",]+)`).exec(header)![1]!;
      const hash = (value: string) => createHash(name).update(value).digest("hex");
      const secret = hash("Mufasa:http-auth@example.org:Circle of Life");
      const proof = [secret, "n", field("nc"), field("cnonce"), "auth"];
      const expected = hash([...proof, hash(`${method}:/dir/index.html`)].join(":"));
      assert.equal(field("response"), expected);
    }
  }
});

Deno.test("a request is tried once, and after the rare SHA-512-256 once with the digest after it", () => {
  const digest = (algorithm: string) =>
    `Digest realm="c", nonce="n", opaque="o7", algorithm=${algorithm}`;
  const login = new Login(credentials);
  for (const algorithm of ["SHA-512-256", "MD5"]) {
    login.refused([digest("MD5"), digest("SHA-512-256")]);
    assert.match(login.lines(request)[0]!, new RegExp(`algorithm=${algorithm}, opaque="o7"`));
  }
  assert.throws(() => login.refused([digest("MD5")]), /the password is wrong \(Digest \(MD5\)\)/);
  assert.throws(
    () => new Login(credentials).refused(["Negotiate"]),
    /a login that is not supported \(Negotiate\): Digest and Basic are/,
  );
});

Deno.test("challenges of hostile servers are read once, whatever they hold", () => {
  const hostile = [
    "digest ".repeat(1000),
    `Digest ${'a="'.repeat(2_600)}`,
    `Digest realm="${"\\".repeat(8_000)}`,
    `Digest ${" =".repeat(4_000)}`,
    `Digest ${"a".repeat(8_000)}`,
    "x".repeat(1_000_000),
  ];
  for (const header of hostile) {
    let reads = 0;
    const counted = new Proxy(RegExp.prototype.exec, {
      apply: (exec, self, args) => (reads++, Reflect.apply(exec, self, args)),
    });
    const { exec } = RegExp.prototype;
    RegExp.prototype.exec = counted;
    try {
      parseChallenges([header]);
    } finally {
      RegExp.prototype.exec = exec;
    }
    assert.ok(reads <= 6 * Math.min(header.length, 8_192) + 10, `${reads} of ${header.length}`);
  }
  assert.deepEqual(parseChallenges(["x".repeat(10_000)]), []);
});

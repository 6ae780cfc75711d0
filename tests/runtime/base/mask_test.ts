import assert from "node:assert/strict";
import fc from "fast-check";
import { learnSecrets, maskSecrets, maskUrl } from "../../../runtime/base/mask.ts";
import { coreMsOf } from "../../support/core_ms.ts";

Deno.test("maskSecrets hides the password of any URL and keeps the rest", () => {
  const cases: [string, string][] = [
    ["rtsp://anna:s3cret@cam.lan:554/1", "rtsp://anna:***@cam.lan:554/1"],
    ["rtsp://anna.b.c:s3cret@cam.lan/1", "rtsp://anna.b.c:***@cam.lan/1"],
    ["rtsp://anna-b_c+d%40x:s3cret@[::1]:554/1", "rtsp://anna-b_c+d%40x:***@[::1]:554/1"],
    ["rtsp://:s3cret@cam/1", "rtsp://:***@cam/1"],
    ["rtsp://anna:@cam/1", "rtsp://anna:***@cam/1"],
    ["https://ghp_token@host/x", "https://***@host/x"],
    ["rtsp://a:p@ss@cam/1", "rtsp://a:***@cam/1"],
    ["rtsp://a:p/s?s#s@cam/1", "rtsp://a:***@cam/1"],
    ["rtsp://a:p:s@cam/1", "rtsp://a:***@cam/1"],
    ["kafka://u:p@h1:9092,h2:9092", "kafka://u:***@h1:9092,h2:9092"],
    ["RTSPS://A:B@C", "RTSPS://A:***@C"],
    [
      "Cannot open rtsp://a:b@c: refused, rtsp://d:e@f too",
      "Cannot open rtsp://a:***@c: refused, rtsp://d:***@f too",
    ],
    ['{"a":"rtsp://a:b@c/","b":"x@y"}', '{"a":"rtsp://a:***@c/","b":"x@y"}'],
    ['"rtsp://a:b\\"c@d"', '"rtsp://a:***@d"'],
    ["src=rtsp%3A%2F%2Fa%3Ab%40c&x=1", "src=rtsp%3A%2F%2F***%40c&x=1"],
    ["connecting to admin.x:hunter2@10.0.0.1:554", "connecting to admin.x:***@10.0.0.1:554"],
  ];
  for (const [text, expected] of cases) assert.equal(maskSecrets(text), expected);
});

Deno.test("maskSecrets hides tokens in query strings, settings, headers and arguments", () => {
  const cases: [string, string][] = [
    ["http://h/ws?token=abc&cam=1", "http://h/ws?token=***&cam=1"],
    ["http://h/ws?cam=1&access_token=abc#x", "http://h/ws?cam=1&access_token=***#x"],
    // Masked before: the sentence goes on.
    ["http://h/ws?token=***, at Hall", "http://h/ws?token=***, at Hall"],
    [
      "http://h/?api_key=abc&user=u&pass=p&X-Amz-Signature=ab12",
      "http://h/?api_key=***&user=***&pass=***&X-Amz-Signature=***",
    ],
    ["FRAMELANE_TOKEN=abc", "FRAMELANE_TOKEN=***"],
    ['password="a b" x', 'password="***" x'],
    [
      '{"sasl":{"username":"u","password":"a\\"b","n":1}}',
      '{"sasl":{"username":"u","password":"***","n":1}}',
    ],
    ['{"line":"{\\"password\\":\\"abc\\"}"}', '{"line":"{\\"password\\":\\"***\\"}"}'],
    ['{"pwd":1234,"token":null,"x":1}', '{"pwd":"***","token":null,"x":1}'],
    ['{"line":"{\\"pwd\\":1234}"}', '{"line":"{\\"pwd\\":\\"***\\"}"}'],
    ['{"line":"password=\\"a b\\" x"}', '{"line":"password=\\"***\\" x"}'],
    ['{"line":"password=abc"}', '{"line":"password=***"}'],
    ["{ token: 'abc' }", "{ token: '***' }"],
    ["Authorization: Bearer abcdef123", "Authorization: ***"],
    ["sent bearer abcdef123.x", "sent bearer ***"],
    ["Cookie: session=1; x=2", "Cookie: ***"],
    ["deno task viewer --token abc --port 1", "deno task viewer --token *** --port 1"],
    ["deno task viewer --token=abc --port 1", "deno task viewer --token=*** --port 1"],
    ["Cannot use password=a:b: too short", "Cannot use password=***: too short"],
    ["http://h/?key=a:b: refused, token=abc:", "http://h/?key=***: refused, token=***:"],
    ["Cannot read --token abc: no such file", "Cannot read --token ***: no such file"],
    ['{"error":"token=abc:"}', '{"error":"token=***:"}'],
  ];
  for (const [text, expected] of cases) assert.equal(maskSecrets(text), expected);
});

Deno.test("maskSecrets leaves text without secrets alone", () => {
  for (
    const text of [
      "",
      "Cannot open log embedded:.framelane/log: expected embedded:DIR",
      "kafka://h1:9092,h2:9092",
      "http://127.0.0.1:8000/cameras/1,3?columns=2",
      "    at f (file:///x/node_modules/.deno/@platformatic+kafka@2.12.1/dist/index.js:12:3)",
      "npm:node-av@6.1.1 and npm:@platformatic/kafka@2.12.1",
      "12:30 someone@example.com",
      '{"type":"progress","progress":{"id":"a","sources":[{"endOffset":{"VideoStreaming":{"0":3}}}]}}',
      "SyntaxError: Unexpected token: expected a number",
      "key: CAMERA-1, code: ECONNREFUSED",
    ]
  ) assert.equal(maskSecrets(text), text);
});

Deno.test("maskUrl takes blanks and quotes in a password for what they are", () => {
  assert.equal(maskUrl('rtsp://a.b:p "q@ <r>@cam/1'), "rtsp://a.b:***@cam/1");
  assert.equal(maskUrl(new URL("rtsp://a:b@cam/1?token=x")), "rtsp://a:***@cam/1?token=***");
  assert.equal(maskUrl("embedded:data"), "embedded:data");
});

Deno.test("Learned secrets are found alone, decoded, encoded and in JSON", () => {
  assert.equal(maskSecrets("x canary-token y"), "x canary-token y");
  learnSecrets("--source=rtsp://u:p%40ss%22word@cam/1");
  learnSecrets("canary-token", { whole: true });
  learnSecrets("rtsp://u:abc@cam");
  learnSecrets("q7Zk", { whole: true });
  assert.equal(maskSecrets("four letters: q7Zk"), "four letters: ***");
  assert.equal(maskSecrets("denied for p%40ss%22word"), "denied for ***");
  assert.equal(maskSecrets('denied for p@ss"word'), "denied for ***");
  assert.equal(maskSecrets(JSON.stringify({ reason: 'p@ss"word' })), '{"reason":"***"}');
  assert.equal(maskSecrets("x canary-token y"), "x *** y");
  assert.equal(maskSecrets("abc"), "abc", "too short to replace wherever it stands");
});

const word = fc.stringMatching(/^[a-zA-Z0-9._~!$&'()*+,;=%:@/?#-]{1,20}$/);
const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9._+-]{0,15}$/);

Deno.test("No password of any shape survives in any sentence", () => {
  fc.assert(
    fc.property(
      name,
      word,
      fc.constantFrom("rtsp", "kafka", "http", "amqp+tls"),
      (user, inside, scheme) => {
        const password = `Q${inside}Z`;
        const masked = maskSecrets(
          `Cannot open "${scheme}://${user}:${password}@cam.lan:554/1": away`,
        );
        assert.equal(masked, `Cannot open "${scheme}://${user}:***@cam.lan:554/1": away`);
      },
    ),
    { numRuns: 2_000 },
  );
});

const fragments = fc.constantFrom(
  ...["password", "token", "pwd", "=", ":", ": ", '"', "'", "\\", " ", "\n", "?", "&", "@", "%40"],
  ...[
    "rtsp://",
    "kafka%3A%2F%2F",
    "anna:",
    "--token ",
    "Authorization: ",
    "bearer ",
    "x",
    "nab",
    "\t",
  ],
);
const sentence = fc.oneof(
  fc.string(),
  fc.array(fragments, { maxLength: 24 }).map((parts) => parts.join("")),
);

Deno.test("JSON stays JSON, whatever its strings hold", () => {
  for (const secret of ["nab=", 'x"x"', "tok\\", "\\nab\\"]) learnSecrets(secret, { whole: true });
  fc.assert(
    fc.property(fc.jsonValue(), sentence, sentence, (json, text, password) => {
      const inner = JSON.stringify({ json, text, password, camera: `rtsp://u:${password}@cam` });
      const line = JSON.stringify({
        json,
        text,
        password,
        inner,
        twice: JSON.stringify({ inner }),
      });
      JSON.parse(maskSecrets(line));
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("Masking takes linear time", () => {
  const hostile = [
    "a".repeat(200_000),
    "rtsp://".repeat(30_000),
    "a:".repeat(100_000),
    "password".repeat(25_000),
    "token=".repeat(30_000),
    "--token-".repeat(25_000),
    "x%3A%2F%2F".repeat(20_000),
    "?a".repeat(100_000),
    '"password":"'.repeat(20_000),
    "\\".repeat(200_000),
    "https://a@".repeat(20_000),
    "[".repeat(100_000) + "password=x" + "]".repeat(100_000),
  ];
  for (const text of hostile) {
    const ms = coreMsOf(() => maskSecrets(text));
    assert.ok(ms < 1_500, `${JSON.stringify(text.slice(0, 20))}…: ${ms} ms of a core`);
  }
});

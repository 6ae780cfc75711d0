/** What a `framelane.yaml` comes to, and what is said of one with faults. */
import assert from "node:assert/strict";
import process from "node:process";
import { UsageError } from "../../../cli/command.ts";
import { configSchema } from "../../../cli/up/config.ts";
import { optionsOf } from "../../../cli/up/opens.ts";
import { resolvePlan } from "../../../cli/up/resolve.ts";

const resolve = (content: string, environment: Record<string, string> = {}) =>
  resolvePlan(content, { file: "f.yaml", environment: (name) => environment[name] });

async function faultsOf(
  content: string,
  environment: Record<string, string> = {},
): Promise<readonly string[]> {
  try {
    await resolve(content, environment);
  } catch (error) {
    if (error instanceof UsageError) return error.faults;
    throw error;
  }
  throw new Error("No fault was found");
}

const TOKENS = [
  { token: "all", opens: "all" },
  { token: "m", opens: "metrics" },
  { token: "c", opens: [1, 3] },
];

Deno.test("every field reaches what runs; what is left out has its default", async () => {
  const plan = await resolve(
    `log: embedded:data
topics: [T, U]
cameras:
  - { number: 1, source: "pattern:", name: Door, place: Hall, fps: 15, size: 64x48, openTimeout: 5 }
  - { number: 1, source: "rtsp://a:\${FRAMELANE_PW}@cam/1", topic: U, loop: true }
queries:
  - query: objects
    name: cars
    partitions: [0, 2]
    parameters: { label: car, enter: 0.5 }
    sinks: [display]
    overload: { kind: drop-oldest, maxLagFrames: 9 }
    trigger: interval:500ms
    startingOffsets: earliest
  - query: motion
    topic: U
executors: 1
viewer: { port: 0, token: [all, m=metrics, "c=1,3"] }
alerts: ["webhook:https://example.org/hook"]
`,
    { FRAMELANE_PW: "pass word" },
  );
  assert.deepEqual(plan.topics, ["T", "U"]);
  assert.deepEqual(plan.cameras, [
    {
      topic: "T",
      camera: {
        number: 1,
        source: "pattern:",
        fps: 15,
        size: { width: 64, height: 48 },
        name: "Door",
        place: "Hall",
        openTimeoutMs: 5_000,
      },
    },
    { topic: "U", camera: { number: 1, source: "rtsp://a:pass word@cam/1", loop: true } },
  ]);
  const [cars, motion] = plan.queries;
  const { module: _, ...spec } = cars!;
  const alerts = ["webhook:https://example.org/hook#only=alerts"];
  assert.deepEqual(spec, {
    name: "cars",
    topic: "T",
    partitions: [0, 2],
    group: "framelane-cars",
    sinks: ["display"],
    alertSinks: alerts,
    overload: { kind: "drop-oldest", maxLagFrames: 9 },
    trigger: "interval:500ms",
    source: { startingOffsets: "earliest" },
    options: { label: "car", enter: 0.5 },
    needs: {
      write: [".framelane/webhook"],
      net: ["example.org:443"],
      libraries: ["onnxruntime-node"],
    },
  });
  assert.deepEqual([motion!.topic, motion!.partitions, motion!.sinks], ["U", "all", []]);
  assert.equal(plan.executors, 1);
  const { port, tokens } = plan.viewer!;
  assert.equal(port, 0);
  assert.deepEqual(tokens, TOKENS);
  const { viewer, log } = await resolve("viewer: off\n");
  assert.deepEqual([viewer, log], [undefined, "embedded:.framelane"]);
});

Deno.test("inline zones reach the queries that use zones", async () => {
  const place = (name: string) =>
    `{ zones: [{ name: ${name}, polygon: [[0, 0], [1, 0], [1, 1]] }] }`;
  const { queries } = await resolve(`zones: ${place("door")}
queries:
  - query: count
  - { query: count, name: own, zones: ${place("yard")} }
  - query: motion
`);
  const names = queries.map(({ options = {} }) =>
    /"name":"(\w+)"/.exec(String(options["zones"]))?.[1]
  );
  assert.deepEqual(names, ["door", "yard", undefined]);
});

Deno.test("all faults are reported together, each with its line", async () => {
  const faults = await faultsOf(`log: nowhere
camera: 1
cameras:
  - number: 0
    source: pattern:?wide=1
    fps: fast
  - source: "pattern:"
  - { number: 2, source: "pattern:" }
  - { number: 2, source: "pattern:" }
queries:
  - query: motoin
  - query: objects
    parameters: { lable: car }
  - query: objects
    name: other
    parameters: { enter: much }
    overload: newest
    sinks: [nothing]
  - query: motion
    model: x.json
viewer: { port: 70000, host: 0.0.0.0 }
`);
  const expected = [
    /^f\.yaml:1: log: expected embedded:DIR or kafka.*, given "nowhere"$/,
    /^f\.yaml:2: camera: unknown; expected log, .*; did you mean cameras\?$/,
    /^f\.yaml:4: cameras\[0\]\.number: expected a whole number from 1 to 10000, given 0$/,
    /^f\.yaml:5: cameras\[0\]\.source: unknown option "wide": expected size/,
    /^f\.yaml:6: cameras\[0\]\.fps: expected max or frames per second.*, given "fast"$/,
    /^f\.yaml:7: cameras\[1\]\.number: expected text that is not empty, or a number, given nothing$/,
    /^f\.yaml:9: Camera 2 of VideoStreaming was given more than once/,
    /^f\.yaml:11: Unknown query "motoin": expected .*did you mean motion\?/,
    /^f\.yaml:12: Query objects does not accept parameters\.lable: expected .*parameters\.label/,
    /^f\.yaml:14: Cannot use query objects: parameter enter is "much": expected a number/,
    /^f\.yaml:17: queries\[2\]\.overload: Cannot use overload policy/,
    /^f\.yaml:18: queries\[2\]\.sinks\[0\]: expected display, console.*, given "nothing"$/,
    /^f\.yaml:19: Query motion does not accept model/,
    /^f\.yaml:21: viewer\.port: expected a whole number from 0 to 65535, given 70000$/,
    /^f\.yaml:21: Cannot show the viewer on 0\.0\.0\.0 to everyone: set a token, .* proxyHosts .* omit host$/,
  ];
  for (const [index, pattern] of expected.entries()) {
    assert.match(faults[index] ?? "", pattern, faults.join("\n"));
  }
  assert.equal(faults.length, expected.length, faults.join("\n"));
});

Deno.test("what does not suit a camera's source is a fault, as on the command line", async () => {
  const faults = await faultsOf(`cameras:
  - { number: 1, source: "pattern:", codec: copy }
  - { number: 2, source: "rtsp://h/x", codec: copy, fps: 5, quality: 9 }
  - { number: 3, source: "rtsp://h/x", codec: copy }
`);
  assert.deepEqual(faults, [
    "f.yaml:2: Cannot use codec copy with source pattern:: it contains no H.264 or H.265; expected codec auto or jpeg",
    "f.yaml:3: Cannot use codec copy with source rtsp://h/x: quality requires re-encoding; fps drops frames that others depend on; expected codec auto or jpeg",
  ]);
});

Deno.test("tokens are read as in the environment variable, or as a list", async () => {
  const environment = { FRAMELANE_TOKEN: " all  m=metrics c=1,3 " };
  for (
    const token of ["${FRAMELANE_TOKEN}", '["${FRAMELANE_TOKEN}"]', '["all c=1,3", m=metrics]']
  ) {
    const { viewer } = await resolve(`viewer:\n  host: 0.0.0.0\n  token: ${token}\n`, environment);
    assert.deepEqual(new Set(viewer!.tokens), new Set(TOKENS), token);
  }
});

Deno.test("a value that may hold a secret is not quoted, whatever is wrong with it", async () => {
  const environment = { FRAMELANE_TOKEN: "hunter2=1,0" };
  const tokens = [
    ...["hunter2=1,0", "${FRAMELANE_TOKEN}", "[hunter2=1;2]", "[ok, hunter2=metric]"],
    ...["[[hunter2]]", "{ hunter2: 1 }", "[{ hunter2: x }]", "true", '""', '" "', '[""]', '[" "]'],
  ];
  for (const token of tokens) {
    const faults = await faultsOf(`viewer:\n  token: ${token}\n`, environment);
    assert.equal(faults.length, 1, `${token}: ${faults.join("\n")}`);
    assert.match(
      faults[0]!,
      /^f\.yaml:2: viewer\.token(\[\d\])?: expected (a token|text) .*, given "\*\*\*"$/,
    );
  }
  for (
    const misplaced of [
      "queries: [{ query: motion, sinks: webhook:https://h/hunter2 }]",
      "queries: [{ query: motion, sinks: [{ webhook: https://h/hunter2 }] }]",
      "queries: [{ query: motion, sinks: [hook:https://h/hunter2] }]",
      "queries: { query: motion, sinks: [webhook:https://h/hunter2] }",
      "viewer: [{ token: [hunter2, hunter2=1] }]",
      "[{ viewer: { token: [hunter2] } }]",
    ]
  ) {
    const faults = await faultsOf(misplaced);
    assert.equal(faults.length, 1, faults.join("\n"));
    assert.doesNotMatch(faults[0]!, /hunter2/);
  }
});

Deno.test("with every field wrong, each is one fault", async () => {
  type Properties = Readonly<Record<string, { items?: { properties: object } }>>;
  const root = configSchema()["properties"] as Properties;
  const viewerShape = (root["viewer"] as { anyOf?: { properties?: object }[] }).anyOf!.at(-1)!;
  const wrong = (properties: object, path = "") =>
    Object.keys(properties).filter((name) => !["cameras", "queries", "viewer"].includes(name))
      .map((name) => [name, `${path}${name}`] as const);
  const parts = {
    "": wrong(root),
    cameras: wrong(root["cameras"]!.items!.properties, "cameras[0]."),
    queries: wrong(root["queries"]!.items!.properties, "queries[0]."),
    viewer: wrong(viewerShape.properties!, "viewer."),
  };
  const filled = (names: readonly (readonly [string, string])[]) =>
    Object.fromEntries(names.map(([name]) => [name, [[]]]));
  const file = {
    ...filled(parts[""]),
    cameras: [filled(parts.cameras)],
    queries: [filled(parts.queries)],
    viewer: filled(parts.viewer),
  };
  const faults = (await faultsOf(JSON.stringify(file))).map((fault) =>
    /^f\.yaml:1: (.*?)(?:\[0\])?: /.exec(fault)?.[1]
  );
  assert.deepEqual(faults.sort(), Object.values(parts).flat().map(([, path]) => path).sort());
});

Deno.test("what is no YAML is refused with its place and the reason, and none of its text", async () => {
  const values = [
    "*s3cret",
    "!s3cret",
    "@s3cret",
    "|s3cret",
    "]s3cret",
    "{s3cret",
    "'s3cret",
    '"\\s3cret"',
    "s3cret: a",
    "&s3cret &s3cret",
    "s3cret\ns3cret: a\n  b: [",
    "s3cret\n\tb: 1",
    "!s3cret! a",
    "!<s3cret> a",
    ">s3cret",
    "[*s3cret]",
  ];
  for (const value of values) {
    const [fault, ...others] = await faultsOf(`log: a\ntoken: ${value}\n`);
    assert.match(fault!, /^f\.yaml:[23]: Cannot read YAML at column \d+: \w/, value);
    assert.doesNotMatch(fault!, /s3cret/i);
    assert.equal(others.length, 0);
  }
});

Deno.test("the YAML parser prints no warnings, which may quote a secret", async () => {
  const { emitWarning } = process;
  const warnings: unknown[] = [];
  process.emitWarning = (warning: unknown) => void warnings.push(warning);
  try {
    assert.equal((await faultsOf("viewer: { token: {{ s3cret }} }\n")).length, 1);
  } finally {
    process.emitWarning = emitWarning;
  }
  assert.deepEqual(warnings, []);
});

Deno.test("the schema for editors knows which numbers are accepted", () => {
  const text = JSON.stringify(configSchema());
  assert.match(text, /"number":\{[^}]*"minimum":1,"maximum":10000\}/);
  assert.match(text, /"port":\{[^}]*"minimum":0,"maximum":65535\}/);
});

Deno.test("what is no YAML, no map, given twice or not set says so with its line", async () => {
  assert.match((await faultsOf("log: [a\n"))[0]!, /^f\.yaml:\d: /);
  for (const text of ["topic: pattern:\n", "cameras: [{ number: 1, source: pattern: }]\n"]) {
    assert.match((await faultsOf(`log: a\n${text}`))[0]!, /^f\.yaml:2: .*colon.* quotes$/);
  }
  const [block] = await faultsOf("cameras: [\n  - number: 1\n]\n");
  assert.match(block!, /^f\.yaml:2: .*Block collections/);
  const broken = await faultsOf(
    "cameras:\n  - { number: 1, source: a${B} }\nqueries:\n  - { a: 1 }\n",
  );
  assert.equal(broken.length, 1, broken.join("\n"));
  assert.match(
    (await faultsOf(""))[0]!,
    /^f\.yaml:1: the file: expected an object with log, .*given null$/,
  );
  assert.match((await faultsOf("a: &a [*a]\n"))[0]!, /^f\.yaml:1: .*Unresolved alias/);
  assert.match((await faultsOf("a: 1\n---\nb: 1\n"))[0]!, /^f\.yaml:2: .* multiple documents$/);
  assert.match((await faultsOf("- 1\n"))[0]!, /^f\.yaml:1: the file: expected an object with/);
  assert.match(
    (await faultsOf("state: a\nstate: b\n"))[0]!,
    /^f\.yaml:2: .*Map keys must be unique/,
  );
  assert.deepEqual(await faultsOf("\n\nlog: ${FRAMELANE_NONE}\n"), [
    "f.yaml:3: FRAMELANE_NONE is not set",
  ]);
  assert.deepEqual(
    await faultsOf(
      'alerts: ["topic:T"]\nqueries: [{ query: motion, topic: T }, { query: count }]\n',
    ),
    ["f.yaml:1: Cannot use alerts topic:T: query motion reads it"],
  );
  const flags = await faultsOf(
    'queries: [{ query: greyscale, sinks: ["topic:VideoStreaming"], startingOffsets: { T: {} } }]\n' +
      "viewer: { host: 0.0.0.0 }\n",
  );
  assert.deepEqual(flags.map((fault) => /(?<= use )\w+|proxyHosts|--/.exec(fault)?.[0]), [
    "sinks",
    "startingOffsets",
    "proxyHosts",
  ]);
});

Deno.test("the launcher reads what the file opens", () => {
  const options = optionsOf(
    `log: embedded:data
cameras: [{ number: 1, source: "rtsp://\${FRAMELANE_HOST}/1" }]
queries: [{ query: ./mine.ts, sinks: ["images:out", "video:\${FRAMELANE_NONE}/films"], model: m/model.json }]
viewer: { port: 8123 }
`,
    (name) => name === "FRAMELANE_HOST" ? "cam" : undefined,
  );
  assert.deepEqual(options, [
    "--log=embedded:data",
    "--source=rtsp://cam/1",
    "--sink=images:out",
    "--model=m/model.json",
    "--port=8123",
    "--",
    "./mine.ts",
  ]);
  assert.deepEqual(optionsOf("a: [", () => undefined), ["--"]);
});

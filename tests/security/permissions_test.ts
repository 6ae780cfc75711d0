/**
 * What a command line opens: the very flags. That each is needed is shown in
 * `needed_permissions_test.ts`, that they hold in `fence_test.ts`.
 */
import assert from "node:assert/strict";
// Loaded before the tests: its native library stays with the thread and is no test's leak.
import "../../runtime/image/mod.ts";
import motion from "../../queries/motion.ts";
import objects from "../../queries/objects.ts";
import { hostsOf, openedBy, RELAY_PORTS } from "../../runtime/base/access.ts";
import { permissionsFor } from "../../runtime/driver/permissions.ts";
import { foreachBatch, query, type QueryDefinition, webhook } from "../../runtime/mod.ts";
import { accessOf } from "../../runtime/testing.ts";
import project from "../../deno.json" with { type: "json" };
import { ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";
import { launchOf, PRODUCT, run, tasks } from "./task.ts";

const LIBC = ["/etc/alpine-release", "/usr/bin/ldd"];

/** What the flags of a command line allow, paths of the project shortened. */
function allowed(task: string, ...args: string[]): Record<string, string[]> {
  const { flags, faults } = launchOf(task, args);
  assert.deepEqual(faults, []);
  const kinds = flags.filter((flag) => flag.startsWith("--allow-")).map((flag) => {
    const [kind, values = "everything"] = flag.slice("--allow-".length).split("=");
    const list = values.split(",").map((value) => value.replace(ROOT, "ROOT"));
    return [kind, kind === "ffi" ? list.map((file) => file.replace(/^.*\//, "")) : list.sort()];
  });
  const { env, ...rest } = Object.fromEntries(kinds) as Record<string, string[]>;
  assert.deepEqual(env, ["FRAMELANE_*"], task);
  return rest;
}

Deno.test("Every task of the product starts with the launcher, which may start Deno and no more", () => {
  for (const task of PRODUCT) {
    assert.equal(
      tasks[task],
      `deno run -q --no-prompt --no-lock --no-npm --no-code-cache -P=launch launch.ts ${task}`,
    );
  }
  const { launch } = project.permissions;
  assert.deepEqual(Object.keys(launch).sort(), ["env", "ffi", "read", "run"]);
  assert.deepEqual(launch.run, ["deno"]);
  assert.ok(launch.ffi.every((file) => /\/libc\.so\.6$|libSystem\.B\.dylib$/.test(file)));
});

Deno.test("No task has all permissions, and none may ask for more", () => {
  for (const [task, command] of Object.entries(tasks)) {
    assert.doesNotMatch(command, new RegExp(` -${"A"}\\b|--allow-${"all"}`), task);
    assert.match(command, / --no-prompt /, task);
  }
  for (const task of PRODUCT) {
    const { flags } = launchOf(task, []);
    assert.ok(flags.includes("--no-prompt") && flags.includes("--deny-import"), task);
  }
});

Deno.test("A command line opens what it names", () => {
  const camera = (...args: string[]) =>
    allowed("camera", "1", "--log", "embedded:/data/log", ...args);
  const local = camera();
  assert.deepEqual(Object.keys(local).sort(), ["ffi", "read", "sys", "write"]);
  assert.deepEqual(local["sys"], ["statfs"]);
  const state = ["", "-journal", "-shm", "-wal"].map((end) => `ROOT/.framelane/cameras.kv${end}`);
  assert.deepEqual(local["write"]!.filter((path) => path !== "ROOT/.framelane"), [
    "/data/log",
    ...state,
  ]);
  assert.deepEqual(
    local["read"]!.filter((path) => !/^ROOT\/.framelane/.test(path)),
    ["/data/log", ...LIBC, "ROOT"].sort(),
  );
  assert.ok(camera("--source", "/films/a.mp4")["read"]!.includes("/films/a.mp4"));
  assert.deepEqual(camera("--source", "http://u:p@cam.example/x")["net"], ["cam.example:80"]);
  // FFmpeg connects by way of a relay on this machine.
  const stream = launchOf("camera", ["1", "--source", "rtsp://cam.example:8554/x"]).access;
  assert.ok(stream.net?.has("cam.example:8554"));
  assert.ok(camera("--source", "rtsps://cam.example/x")["net"]!.includes("cam.example:322"));
  assert.deepEqual(camera("--metrics-port", "9100")["net"], [
    "127.0.0.1:9100",
    "[::1]:9100",
    "localhost:9100",
  ]);
  const kafka = allowed(
    "camera",
    "1",
    "--log",
    "kafka://u:p@a.example:9092,b.example:9093?ca=/pem/ca",
  );
  assert.deepEqual(kafka["net"], ["a.example", "b.example"]);
  assert.ok(kafka["read"]!.includes("/pem/ca"));
  const token = "kafka://a.example?sasl=oauthbearer&tls=true&token=/run/secrets/kafka/token";
  assert.ok(allowed("camera", "1", "--log", token)["read"]!.includes("/run/secrets/kafka"));
});

Deno.test("A host is open at the port of its address and at those that its kind reaches besides", () => {
  const table = { onvif: { target: "stream", ports: [80, 554] } } as const;
  const { url, ports } = openedBy(table, "onvif://user:password@cam.example");
  assert.deepEqual(hostsOf(url, ports), ["cam.example:80", "cam.example:554"]);
  assert.deepEqual(hostsOf("onvif://cam.example:8080", [554]), [
    "cam.example:8080",
    "cam.example:554",
  ]);
  assert.deepEqual(hostsOf("rtsp://[::1]/x"), ["[::1]:554"]);
});

Deno.test("Sinks, models, queries and reports open their own places", () => {
  const queries = (...args: string[]) => allowed("queries", "--log", "embedded:/log", ...args);
  const written = (...args: string[]) =>
    queries(...args)["write"]!.filter((path) => path !== "/log" && !path.startsWith("ROOT/"));
  assert.deepEqual(written("--sink", "images:/a/b", "--sink", "video:/c?roll=10m"), ["/a/b", "/c"]);
  assert.deepEqual(written("--sink", "events:/a/b/c.jsonl", "--sink", "display"), ["/a/b"]);
  const hook = ["--sink", "webhook:https://alarm.example/x?y#only=alerts&dead-letters=/d/e.jsonl"];
  assert.deepEqual(written(...hook), ["/d"]);
  assert.deepEqual(queries("--port", "off", ...hook)["net"], ["alarm.example:443"]);
  assert.deepEqual(queries("--port", "off")["net"], undefined);
  assert.deepEqual(queries("--host", "::", "--port", "80")["net"], [
    ...["127.0.0.1", "[::1]", "[::]:80", "localhost"],
  ]);
  assert.ok(queries()["net"]!.includes("127.0.0.1:8000"));
  for (const manifest of ["/m/x/model.json", "file:///m/x/model.json"]) {
    assert.ok(queries("--model", manifest)["read"]!.includes("/m/x"), manifest);
  }
  const inspected = allowed("models", "inspect", "models/centernet/centernet.onnx");
  assert.ok(inspected["write"]!.includes("ROOT/models/centernet/model.json"));
  assert.equal(allowed("models", "presets")["write"], undefined);
  assert.equal(allowed("models", "inspect", "/m/none.onnx")["write"], undefined);
  assert.equal(allowed("evaluate")["write"], undefined);
  assert.deepEqual(
    allowed("viewer", "--log", "embedded:/log")["write"]!.filter((path) => !/^ROOT/.test(path)),
    ["/log"],
  );
});

Deno.test("Commands that only read a log write into none that is missing", async () => {
  const check = (log: string) => allowed("log", "check", "--log", `embedded:${log}`)["write"];
  await withFolder(async (folder) => {
    assert.equal(check(`${folder}/missing`), undefined);
    assert.deepEqual(check(folder), [await Deno.realPath(folder)]);
  });
});

Deno.test("The environment opens what flags do not name, and flags widen what is open", () => {
  Deno.env.set("FRAMELANE_LOG", "embedded:/from/environment");
  try {
    assert.ok(allowed("camera")["write"]!.includes("/from/environment"));
    assert.ok(allowed("camera", "--log=embedded:/flag")["write"]!.includes("/flag"));
  } finally {
    Deno.env.delete("FRAMELANE_LOG");
  }
  const wider = allowed(
    ...["queries", "--port", "off", "--allow-net", "b-2.example:9092,b-3.example"] as const,
    ...["--allow-read", "/x,y", "--allow-write", "/w", "--allow-ffi", "/lib/mine.node"],
  );
  assert.deepEqual(wider["net"], ["b-2.example:9092", "b-3.example"]);
  assert.ok(["/x", "ROOT/y", "/w"].every((path) => wider["read"]!.includes(path)));
  assert.ok(wider["write"]!.includes("/w"));
  assert.ok(wider["ffi"]!.includes("mine.node"));
  assert.deepEqual(allowed("queries", "--allow-net", "any")["net"], ["everything"]);
});

Deno.test("What Deno cannot grant opens nothing: the command itself says what it expects", async () => {
  for (
    const [task, ...args] of [
      ["viewer", "--port", "99999", "--host", "a b"],
      ["viewer", "--log", "kafka://a b:9092,c..d:9092,é.example:9092", "--host", "x:"],
      ["camera", "1", "--metrics-port", "99999", "--source", "http://a..b/"],
      [
        "queries",
        "--allow-net",
        "x:99999,a b,,http://x,::1,[::g]",
        "--sink",
        "webhook:http://a..b/",
      ],
    ] as const
  ) {
    const flags = launchOf(task, args).flags.filter((flag) => flag.startsWith("--allow-net="));
    const ran = await run(["--quiet", ...flags, "data:application/javascript,"]);
    assert.deepEqual(ran, { code: 0, said: "" }, `${task} ${flags}`);
  }
  const granted = ["a-b.example", "x_y:0", "*.example:80", "10.0.0.0/8", "[::1]:65535"];
  const net = allowed("queries", "--port", "off", "--allow-net", granted.join(","))["net"]!;
  assert.ok(granted.every((host) => net.includes(host)), net.join());
});

Deno.test("Cameras that are added while others run may be anywhere: reading and hosts are open unless named", () => {
  const open = allowed("cameras", "run");
  assert.deepEqual([open["read"], open["net"]], [["everything"], ["everything"]]);
  const reach = (...args: string[]) => {
    const { net = [], read } = allowed("cameras", ...args);
    return [net, read!.filter((path) => !/^ROOT|^\/etc|^\/usr/.test(path))];
  };
  assert.deepEqual(reach("discover"), [["everything"], []]);
  for (const args of [["add", "1", "rtsp://cam.example/a"], ["list"], ["remove", "1"], []]) {
    assert.deepEqual(reach(...args), [[], []], args.join(" "));
  }
  assert.deepEqual(reach("probe", "/films/a.mp4"), [[], ["/films/a.mp4"]]);
  assert.deepEqual(reach("probe", "http://cam.example/x"), [["cam.example:80"], []]);
  const named = allowed("cameras", "run", "--allow-read", "/films", "--allow-net", "cam.example");
  // FFmpeg finds the relays to RTSP cameras there, which come later or by an edit.
  const relays = ["127.0.0.1", "[::1]"].flatMap((host) =>
    RELAY_PORTS.map((port) => `${host}:${port}`)
  );
  assert.deepEqual(named["net"], ["cam.example", ...relays].sort());
  const listens = (task: string, ...args: string[]) => {
    const { access, executors } = launchOf(task, args);
    if (executors !== undefined) assert.ok(!executors.always.net.toString().includes(relays[0]!));
    return relays.filter((place) => access.listens.has(place)).length;
  };
  for (
    const [task, ...args] of [
      ["cameras", "run"],
      ["cameras", "run", "--allow-net", "cam.example"],
      ["camera", "1", "--source", "rtsp://cam.example/x"],
      ["up", "/none.yaml", "--allow-net", "cam.example"],
    ] as const
  ) assert.equal(listens(task, ...args), relays.length, `${task} ${args.join(" ")}`);
  assert.equal(listens("cameras", "discover") + listens("up", "/none.yaml"), 0);
  assert.ok(named["read"]!.includes("/films") && !named["read"]!.includes("everything"));
});

Deno.test("Executors get what concerns queries: no camera, no registry, no port of the viewer", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/all.yaml`;
    await Deno.writeTextFile(
      file,
      `log: embedded:${folder}/log
state: ${folder}/state.kv
cameras: [{ number: 1, source: /films/a.mp4 }, { number: 2, source: "http://cam.example/x" }]
queries: [{ query: greyscale, sinks: ["events:${folder}/out/a.jsonl", "webhook:https://alarm.example/"] }]
`,
    );
    const { executors: given, access } = launchOf("up", [
      ...[file, "--allow-read", "/x", "--allow-net", "b-2.example"],
    ]);
    assert.ok(access.net?.has("cam.example:80") && access.read.has("/films/a.mp4"));
    const executors = given!;
    const texts = (list: unknown) => (list as string[]).join(" ");
    const nothing = permissionsFor(executors, { write: [], net: [], libraries: [] });
    assert.deepEqual([nothing.net, nothing.write], [["b-2.example"], [`${folder}/log`]]);
    assert.doesNotMatch(texts(nothing.read) + texts(nothing.ffi), /films|state\.kv|onnxruntime/);
    assert.doesNotMatch(texts(nothing.env), /SECRET/);
    const write = [`${folder}/out`, `${ROOT}/.framelane/webhook`];
    const all = permissionsFor(executors, { write, net: ["alarm.example:443"], libraries: [] });
    assert.deepEqual(all.net, ["alarm.example:443", "b-2.example"]);
    assert.deepEqual(all.write, [`${folder}/log`, ...write].sort());
    assert.doesNotMatch(texts(all.read) + texts(all.write), /films|state\.kv/);
    assert.match(texts(all.env), /SECRET/);
  });
  for (const sink of ["images:/a/{query}/b", "events:/a/{query}/b.jsonl"]) {
    const named = launchOf("queries", ["--sink", sink]);
    assert.ok(named.access.write.some(({ path }) => path === "/a"), "a folder for each query");
  }
});

Deno.test("A sink that does not say what it opens gets what --allow-… names, and nothing of other sinks", () => {
  const { executors } = launchOf("queries", [
    ...[
      "--log",
      "embedded:/log",
      "--sink",
      "images:/theirs",
      "--sink",
      "webhook:http://a.example/",
    ],
    ...["--allow-write", "/mine", "--allow-net", "db.example:5432"],
  ]);
  const own = query("own").readStream().writeStream(foreachBatch(() => {}));
  const { write, net, env, ffi } = permissionsFor(executors!, accessOf(own));
  assert.deepEqual([write, net], [["/log", "/mine"], ["db.example:5432"]]);
  assert.doesNotMatch([...env, ...ffi].join(), /SECRET|onnx/);
});

Deno.test("Each query's executors may do what its own plan needs, with demo and up", async () => {
  const demo = launchOf("demo", []).executors!;
  const ffi = (definition: QueryDefinition) =>
    permissionsFor(demo, accessOf(definition)).ffi.some((file) => /onnxruntime/.test(file));
  assert.deepEqual([ffi(motion), ffi(objects())], [false, true]);
  for (const definition of [motion, objects()]) {
    const { write, net } = permissionsFor(demo, accessOf(definition));
    assert.deepEqual([write, net], [[], []], "the command adds the log's folder, which it makes");
  }
  const written = query("own").readStream().writeStream(webhook({ url: "http://127.0.0.1:81/x" }));
  await withFolder(async (folder) => {
    const file = `${folder}/framelane.yaml`;
    const launched = async (log: string) => {
      await Deno.writeTextFile(
        file,
        `log: ${log}\nqueries: [{ query: greyscale, sinks: ["webhook:http://127.0.0.1:81/x"] }]\n`,
      );
      const executors = launchOf("up", [file]).executors!;
      return [motion, written].map((one) => permissionsFor(executors, accessOf(one)));
    };
    const [shown, posted] = await launched(`embedded:${folder}/log`);
    assert.deepEqual([shown!.net, posted!.net], [[], ["127.0.0.1:81"]]);
    assert.deepEqual(posted!.write, [`${ROOT}/.framelane/webhook`, `${folder}/log`].sort());
    const [shared] = await launched("kafka://a.example:9092");
    assert.deepEqual(
      shared!.net,
      ["a.example"],
      "--allow-net names the other brokers of a cluster",
    );
  });
});

Deno.test("Images are decoded and made grey with what the demo is allowed", async () => {
  await withFolder(async (folder) => {
    const script = `${folder}/images.ts`;
    await Deno.writeTextFile(
      script,
      `import { keepLuma } from "${ROOT}/runtime/image/turbojpeg.ts";
       import { decodeImage, inspectImage } from "${ROOT}/runtime/image/mod.ts";
       const bytes = Deno.readFileSync("${ROOT}/clips/astronaut.jpg");
       const { width, height } = inspectImage(bytes);
       const grey = await keepLuma(bytes, { width, height });
       const small = await decodeImage(bytes, 3);
       console.log(inspectImage(grey!).components, small.width === width);`,
    );
    const { flags } = launchOf("demo", []);
    const { code, said } = await run([...flags, `--config=${ROOT}/deno.json`, script]);
    assert.equal(code, 0, said);
    assert.match(said, /^1 true$/m);
  });
});

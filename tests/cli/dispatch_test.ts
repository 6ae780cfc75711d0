import assert from "node:assert/strict";
import { type Command, parsers, UsageError } from "../../cli/command.ts";
import { nearest } from "../../runtime/base/nearest.ts";
import { dispatch } from "../../cli/dispatch.ts";

interface Run {
  code: number;
  out: string[];
  err: string[];
}

async function run(
  argv: string[],
  {
    act = () => Promise.resolve(0),
    environment = {},
    signal = new AbortController().signal,
    program = "deno task",
  }: {
    act?: Command["run"];
    environment?: Record<string, string>;
    signal?: AbortSignal;
    program?: string;
  } = {},
): Promise<Run & { loaded: string[] }> {
  const loaded: string[] = [];
  const out: string[] = [];
  const err: string[] = [];
  const entry = (name: string) => ({
    summary: `Does ${name}.`,
    load(): Promise<Command> {
      loaded.push(name);
      return Promise.resolve({
        name,
        summary: `Does ${name}.`,
        positionals: "[N]",
        options: {
          port: { value: "PORT", help: "Where", default: 8000, parse: parsers.integer(1, 65_535) },
          source: { value: "URI", help: "From where" },
          token: { value: "TOKEN", help: "Who may" },
          json: { switch: true, help: "For machines" },
          "log-format": { value: "text|json", help: "How" },
        },
        run: act,
      });
    },
  });
  const code = await dispatch(argv, {
    commands: { camera: entry("camera"), viewer: entry("viewer") },
    environment: (name) => environment[name],
    version: "framelane 1.2.3",
    program,
    context: {
      signal,
      print: (line) => out.push(line),
      say: (line) => err.push(line),
    },
  });
  return { code, out, err, loaded };
}

Deno.test("messages and help call the program as its user does", async () => {
  for (const program of ["deno task", "npx framelane"]) {
    const { err } = await run(["camera", "--jsn"], { program });
    assert.equal(err.at(-1), `${program} camera --help lists what is accepted`);
    const { out } = await run(["camera", "--help"], { program });
    assert.match(out[0]!, new RegExp(`^${program} camera \\[N\\]`));
  }
});

Deno.test("A command gets its arguments and only it is loaded", async () => {
  let seen: unknown;
  const { code, loaded } = await run(["camera", "1", "--port", "9000", "--json"], {
    act: (args) => {
      seen = args;
      return Promise.resolve(0);
    },
  });
  assert.equal(code, 0);
  assert.deepEqual(seen, { positionals: ["1"], options: { port: 9000, json: true } });
  assert.deepEqual(loaded, ["camera"]);
});

Deno.test("Help goes to standard output, and loads nothing it does not tell of", async () => {
  const overview = await run(["--help"]);
  assert.equal(overview.code, 0);
  assert.match(overview.out.join("\n"), /camera +Does camera\.\n +viewer +Does viewer\./);
  assert.deepEqual(overview.loaded, []);
  const one = await run(["viewer", "--port", "x", "--help"]);
  assert.equal(one.code, 0);
  assert.match(one.out.join("\n"), /--port PORT +Where \(default 8000\)/);
  assert.deepEqual(one.err, []);
});

Deno.test("The exit code of a command is passed on", async () => {
  assert.equal((await run(["camera"], { act: () => Promise.resolve(1) })).code, 1);
});

Deno.test("An unknown command is 2, with the nearest name", async () => {
  const { code, out, err } = await run(["camra"]);
  assert.equal(code, 2);
  assert.deepEqual(out, []);
  assert.match(err.join("\n"), /Unknown command "camra": did you mean camera\?/);
  for (const name of ["constructor", "__proto__", "toString"]) {
    assert.equal((await run([name])).code, 2);
  }
});

Deno.test("No command is 2, with the help on standard error", async () => {
  const { code, out, err } = await run([]);
  assert.equal(code, 2);
  assert.deepEqual(out, []);
  assert.match(err.join("\n"), /deno task COMMAND/);
});

Deno.test("All faults of a configuration are reported together", async () => {
  const { code, out, err } = await run(["camera", "--port", "0", "--jsn"], {
    environment: { FRAMELANE_JSON: "maybe" },
  });
  assert.equal(code, 2);
  assert.deepEqual(out, []);
  const text = err.join("\n");
  assert.match(text, /--port "0": expected a whole number from 1 to 65535/);
  assert.match(text, /Unknown option --jsn: did you mean --json\?/);
  assert.match(text, /FRAMELANE_JSON "maybe": expected true or false/);
});

Deno.test("Wrong use that only the command notices is 2 as well", async () => {
  const { code, err } = await run(["camera"], {
    act: () => Promise.reject(new UsageError(["Cannot use camera 0: expected 1 and up"])),
  });
  assert.equal(code, 2);
  assert.match(err.join("\n"), /Cannot use camera 0/);
});

Deno.test("A command that is stopped while it starts has done what was asked for", async () => {
  const signal = AbortSignal.abort(new Error("Stopped by SIGINT"));
  const stopped = (failure: unknown) =>
    run(["camera"], { signal, act: () => Promise.reject(failure) });
  assert.deepEqual(await stopped(signal.reason), { code: 0, out: [], err: [], loaded: ["camera"] });
  assert.equal((await stopped(new Error("Cannot open the log"))).code, 1);
});

Deno.test("A failure is 1, told with causes on standard error, also with --json", async () => {
  const { code, out, err } = await run(["camera", "--json"], {
    act: () => Promise.reject(new Error("Cannot reach log", { cause: new Error("Refused") })),
  });
  assert.equal(code, 1);
  assert.deepEqual(out, []);
  assert.deepEqual(err, ["Cannot reach log\n  because: Refused"]);
});

Deno.test("No secret that came by argument or environment is printed, in whatever words", async () => {
  const words = "denied: pass.word1, t0ken-arg, t0ken=env";
  const { out, err } = await run(
    ["camera", "--source", "rtsp://a.b:pass.word1@cam/1", "--token", "t0ken-arg"],
    {
      environment: { FRAMELANE_TOKEN: "t0ken=env" },
      act: (_, { print, say }) => {
        print(JSON.stringify({ words }));
        say(words);
        throw new Error(words);
      },
    },
  );
  assert.deepEqual(out, ['{"words":"denied: ***, ***, ***"}']);
  assert.deepEqual(err, ["denied: ***, ***, ***", "denied: ***, ***, ***"]);
});

Deno.test("The version is printed", async () => {
  assert.deepEqual((await run(["--version"])).out, ["framelane 1.2.3"]);
});

Deno.test("options that every object has are unknown all the same", async () => {
  for (const flag of ["--constructor=1", "--no-constructor", "--toString"]) {
    const { code, err } = await run(["camera", flag]);
    assert.equal(code, 2, flag);
    assert.match(err[0]!, /^Unknown option --/);
  }
});

Deno.test("with --log-format json each line for people is an object with time, level and message", async () => {
  for (
    const [argv, environment] of [
      [["camera", "--log-format", "json"], {}],
      [["camera"], { FRAMELANE_LOG_FORMAT: "json" }],
    ] as const
  ) {
    const { err } = await run([...argv], {
      environment,
      act: (_, { say }) => {
        say("It begins");
        say("It is slow", "warn");
        return Promise.reject(new Error("It broke"));
      },
    });
    const lines = err.map((line) => JSON.parse(line) as Record<string, string>);
    assert.deepEqual(lines.map(({ level, message }) => [level, message]), [
      ["info", "It begins"],
      ["warn", "It is slow"],
      ["error", "It broke"],
    ]);
    for (const { time } of lines) assert.ok(Number.isFinite(Date.parse(time!)));
  }
});

Deno.test("Of several names the nearest is meant; of a short one not every other", () => {
  assert.equal(nearest("sizs", ["sides", "size"]), "size");
  assert.equal(nearest("foo", ["fps", "for"]), "for");
  assert.equal(nearest("foo", ["fps", "size"]), undefined);
});

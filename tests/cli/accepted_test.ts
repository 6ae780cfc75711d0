/** A wrong value is one fault, which says all that is accepted, and the mask leaves it as it is. */
import assert from "node:assert/strict";
import { parseCommand, UsageError } from "../../cli/command.ts";
import { environmentName } from "../../cli/launch/arguments.ts";
import { planLaunch } from "../../cli/launch/plan.ts";
import { commands } from "../../cli/registry.ts";
import { maskSecrets } from "../../runtime/base/mask.ts";
import { framelane, ROOT } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";
// Loaded here, and not in the first test that loads a command.
import "../../runtime/image/turbojpeg.ts";

for (
  const [line, expected] of [
    ["checkpoints reset --query q --to yesterday", /--to "yesterday": expected earliest, latest/],
    ["queries --port of", /--port "of": expected off or a whole number from 0 to 65535/],
    ["camera 1 --fps fast", /--fps "fast": expected max or frames per second above 0/],
    ["queries --trigger interval:500", /"interval:500": expected asap, interval:DURATION/],
    ["queries --starting-offsets 2026-99-99", /"2026-99-99": expected earliest, latest, /],
    ["viewer --log kafka://h:9092,h:99999", /broker "h:99999", expected host:port/],
    ["camera 1 --source rtsp://", /expected rtsp:\/\/HOST.*, with USER:PASSWORD@ before HOST/],
    ["queries nope.ts --set a=b", /^Cannot find query file "nope.ts": expected action, /],
    ["queries objects --set lable=x --port of", /--port "of": expected off or/],
    ["camera --sourse y", /^Unknown option --sourse: did you mean --source\?$/],
    ["queries --log embedded: --sink images:", /--log "embedded:": expected embedded:DIR/],
    ["queries objects --set enter=1 --set enter=1", /^Parameter enter was given more than once$/],
    ["queries --port off --token abc", /^Cannot use --token: there is no viewer; expected its --p/],
    ["queries --trigger once --cameras x", /^Cannot use --cameras: there is no viewer; expected/],
    ["cameras discover --password x", /^Cannot use --password: expected --user as well$/],
    ["camera 1 --compression gzip", /^Cannot use --compression with an embedded log/],
    ["camera 1 --tls-ca a.pem --tls-insecure", /^Cannot use --tls-ca with --tls-insecure/],
    ["camera 1 --source pattern:?fps=1&fps=2", /fps=2": fps was given more than once$/],
    ["camera 1 --log embedded:l?sync=always&sync=always", /: sync was given more than once$/],
    ["viewer --log kafka://h?rack=a&rack=b", /: rack was given more than once$/],
  ] as const
) {
  Deno.test(`${line}: says what is accepted`, async () => {
    const [name, ...argv] = line.split(" ");
    const command = await Object.entries(commands).find(([one]) => one === name)![1].load();
    await assert.rejects(parseCommand(command, argv, () => undefined), (error: UsageError) => {
      assert.equal(error.faults.length, /images:|lable|sourse y/.test(line) ? 2 : 1, error.message);
      assert.match(error.faults[0]!, expected);
      assert.equal(maskSecrets(error.message), error.message);
      return true;
    });
  });
}

/** The words with which each command can be parsed. */
const WORDS: Readonly<Record<string, string>> = {
  camera: "1",
  cameras: "list",
  checkpoints: "list",
  log: "retention T",
  models: "presets",
  evaluate: "--model=m --clips=c",
};

/** The words of actions that take options which the action above refuses. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  add: "add 1 pattern:",
  run: "run",
  probe: "probe pattern:",
  discover: "discover",
  inspect: "inspect m.onnx",
  check: "check model.json",
  convert: "convert",
};

async function faultsOf(
  name: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const command = await commands[name]!.load();
  const option = /^--(?:no-)?([^=]+)/.exec(argv[0] ?? "")?.[1] ?? "";
  const [action = ""] = command.options[option]?.actions ?? [];
  const words = (OTHER_WORDS[action] ?? WORDS[name] ?? "").split(" ").filter((word) =>
    word !== "" && !argv.some((given) => given.split("=")[0] === word.split("=")[0])
  );
  try {
    await parseCommand(command, [...words, ...argv], (variable) => environment[variable]);
    return [];
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return error.faults;
  }
}

for (const [name, { load }] of Object.entries(commands)) {
  Deno.test(`${name}: each wrong use of an option is one fault`, async () => {
    assert.deepEqual(await faultsOf(name, []), []);
    for (
      const [option, { switch: isSwitch, multiple, parse }] of Object.entries(
        (await load()).options,
      )
    ) {
      const flag = `--${option}`;
      const variable = environmentName(option);
      const one = async (says: RegExp, argv: string[], environment = {}) => {
        const faults = await faultsOf(name, argv, environment);
        assert.equal(
          faults.length,
          1,
          `${argv.join(" ")} ${JSON.stringify(environment)}: ${faults.join("\n")}`,
        );
        assert.match(faults[0]!, says);
      };
      if (isSwitch) {
        await one(/takes no value: given "x"/, [`${flag}=x`]);
        await one(/contradicts/, [flag, `--no-${option}`]);
        await one(new RegExp(`${variable} "maybe": expected true or false`), [], {
          [variable]: "maybe",
        });
        continue;
      }
      await one(new RegExp(`^No value for ${flag}: expected`), [flag]);
      await one(new RegExp(`^No value for ${flag}: expected`), [`${flag}=`]);
      await one(new RegExp(`^No value for ${flag}: expected`), [flag, "--log-format=text"]);
      await one(new RegExp(`^Unknown option --no-${option}`), [`--no-${option}`]);
      if (parse === undefined || ["source", "to", "token"].includes(option)) continue;
      await one(/: expected /, [flag, "\0?"]);
      await one(/: expected /, [], { [variable]: "\0?" });
      if (multiple) await one(/: expected /, [flag, "\0?", flag, "\0?"]);
    }
  });

  Deno.test(`${name}: an option that does not exist is one fault, with its value`, async () => {
    for (const unknown of [["--sourse", "x"], ["--sourse=x"], ["--sourse"], ["-x"]]) {
      const faults = await faultsOf(name, unknown);
      assert.equal(faults.length, 1, faults.join("\n"));
      assert.match(faults[0]!, /^Unknown option -/);
    }
  });

  Deno.test(`${name}: a word too many is one fault, which shows the usage`, async () => {
    const { positionals = "" } = await load();
    if (positionals.includes("…")) return;
    const faults = await faultsOf(name, ["x", "y"]);
    assert.ok(
      faults.some((fault) => /^Cannot use argument "[xy]": expected deno task /.test(fault)),
      faults.join("\n"),
    );
  });
}

Deno.test("an empty target opens nothing, so that only the command refuses it", () => {
  for (
    const empty of [["--sink", "images:"], ["--sink", "events:"], ["--log", "embedded:"], [
      "--checkpoint=",
    ]]
  ) {
    const { faults } = planLaunch(["queries", ...empty], {
      base: ROOT.slice(0, -1),
      root: ROOT.slice(0, -1),
      environment: () => undefined,
    });
    assert.deepEqual(faults, [], empty.join(" "));
  }
});

Deno.test("a long value is cut in every fault, and its secret is not shown", async () => {
  const long = `rtsp://u:canary${"x".repeat(10_000)}@h`;
  const overlong: string[] = [];
  for (const [name, { load }] of Object.entries(commands)) {
    const command = await load();
    const lines = Object.entries(command.options).flatMap(([option, { switch: isSwitch }]) => [
      [`--${option}${isSwitch ? "=" : ""}${isSwitch ? long : ""}`, ...(isSwitch ? [] : [long])],
      [`--${option}`, `{"${long}": "${long}"}`],
    ]);
    for (const argv of [...lines, [long], [`--${long}`], ["add", long], ["add", "1", long]]) {
      try {
        await parseCommand(command, argv, () => undefined);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        for (const fault of error.faults) {
          const shown = maskSecrets(fault);
          if (shown.length > 1_500) overlong.push(`${name} ${argv[0]!.slice(0, 30)}: ${shown}`);
          assert.ok(!shown.includes("canary"), shown);
        }
      }
    }
  }
  assert.deepEqual(overlong.map((one) => one.slice(0, 200)), []);
});

Deno.test("queries: two sinks of one place are wrong use", () =>
  withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const sinks = ["events:out/x", "events:./out/x"].flatMap((uri) => ["--sink", uri]);
    const args = ["queries", "passthrough", "--log", url, "--trigger", "available-now", ...sinks];
    const { code, process } = await framelane(args);
    assert.equal(code, 2, process.output());
    assert.match(
      process.output(),
      /"events:out\/x" and "events:.\/out\/x": they write to the same place/,
    );
  }));

Deno.test("queries: options that do not fit the query's own are wrong use", () =>
  withLog(async (url, log, folder) => {
    await log.createTopic("VideoStreaming", 1);
    const path = `${folder}/ten.ts`;
    await Deno.writeTextFile(
      path,
      `import { display, query } from "${ROOT}runtime/mod.ts";
export default query("ten").readStream({ minFramesPerTrigger: 10 }).writeStream(display());`,
    );
    const args = ["queries", path, "--log", url, "--max-frames-per-trigger", "5"];
    const { code, process } = await framelane([...args, "--trigger", "available-now"]);
    assert.equal(code, 2, process.output());
    assert.match(process.output(), /expected at most maxFramesPerTrigger \(5\), given 10/);
  }));

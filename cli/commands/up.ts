// `deno task up`: log, cameras, queries and viewer from one file; edits take effect while it runs.
import { shown } from "../../runtime/base/options.ts";
import { stringify } from "yaml";
import { messageOf } from "../../runtime/base/errors.ts";
import { readGiven } from "../../runtime/base/given_file.ts";
import { maskSecrets, maskUrl } from "../../runtime/base/mask.ts";
import { pause } from "../../runtime/base/wait.ts";
import { maskedSink } from "../../runtime/sinks/open.ts";
import { command, type Options, UsageError } from "../command.ts";
import { describeFailure } from "../fault.ts";
import { RUNTIME_NEEDS } from "../log_options.ts";
import { counted } from "../output.ts";
import { editsOf } from "../up/changes.ts";
import { closedPlaces } from "../up/closed.ts";
import { type Plan, resolvePlan } from "../up/resolve.ts";
import { UpRun } from "../up/run.ts";

const DEFAULT_FILE = "framelane.yaml";
/** Interval of checks of the file, milliseconds: an edit takes effect within 2 s. */
const CHECK_INTERVAL_MS = 250;

const upOptions = {
  check: {
    switch: true,
    byFlag: true,
    help:
      "Only check the file; exit code 2 for faults. --no-check or FRAMELANE_CHECK=false starts " +
      "queries without type checks",
  },
  print: { switch: true, help: "Only print the resolved file, without secrets" },
  json: { switch: true, help: "Print JSON only, one object per line" },
} as const satisfies Options;

export const up = command({
  positionals: "[FILE]",
  options: upOptions,
  needs: { ...RUNTIME_NEEDS, file: DEFAULT_FILE },
  async run({ positionals: [file = DEFAULT_FILE], options }, context) {
    const { check = false, print = false, json = false } = options;
    const content = read(file);
    const edited = editsOf(content);
    const resolve = (text: string, load: boolean) => resolvePlan(text, { file, environment, load });
    const plan = await resolve(content, check);
    if (print) context.print(planText(plan, json));
    if (check) context.say(`${file}: ${counts(plan)}`);
    if (check || print) return 0;
    const running = await UpRun.start(plan, context, json);
    try {
      context.say(`${file}: ${counts(plan)}; edits take effect at once`);
      let reported: string | undefined;
      while (await pause(CHECK_INTERVAL_MS, context.signal)) {
        await running.keepViewer();
        const problem = await (async () => {
          const now = edited(read(file));
          if (now === undefined) return undefined;
          const closed = closedPlaces(now, environment);
          if (closed.length > 0) throw new UsageError(closed);
          await running.apply(await resolve(now, false));
          return undefined;
        })().catch((error) =>
          error instanceof UsageError ? error.faults.join("\n") : describeFailure(error)
        );
        if (problem !== undefined && problem !== reported) {
          context.say(`${problem}\n${file} is not applied: what runs continues as before`, "error");
        }
        reported = problem;
      }
    } finally {
      await running.stop();
    }
    return running.failed ? 1 : 0;
  },
});

function environment(name: string): string | undefined {
  return Deno.env.get(name);
}

function read(file: string): string {
  try {
    return readGiven(file);
  } catch (error) {
    throw new UsageError([
      `Cannot read ${shown(file)}: ${
        messageOf(error)
      }; expected a file with cameras and queries, see docs/up.md`,
    ]);
  }
}

function counts({ cameras, queries, viewer }: Plan): string {
  return [
    counted(cameras.length, "camera"),
    counted(queries.length, "query", "queries"),
    viewer === undefined ? "no viewer" : `viewer on port ${viewer.port}`,
  ].join(", ");
}

/** A plan with all defaults, as YAML or one line of JSON, without secrets. */
function planText({ cameras, queries, viewer, log, ...rest }: Plan, json: boolean): string {
  const file = {
    log: maskUrl(log),
    ...rest,
    cameras: cameras.map(({ topic, camera: { number, source, ...settings } }) => ({
      number,
      source: maskUrl(source),
      topic,
      ...settings,
    })),
    queries: queries.map(({ sinks, alertSinks, source, needs: _, ...spec }) => ({
      ...spec,
      ...source,
      ...(sinks.length === 0 ? {} : { sinks: sinks.map(maskedSink) }),
      ...(alertSinks === undefined ? {} : { alerts: alertSinks.map(maskedSink) }),
    })),
    viewer: viewer === undefined ? "off" : {
      host: viewer.hostname,
      port: viewer.port,
      token: viewer.tokens?.map(({ opens }) => opens === "all" ? "***" : `***=${opens}`),
      proxyHosts: viewer.proxyHosts,
      embedOrigins: viewer.embedOrigins,
    },
  };
  return maskSecrets(json ? JSON.stringify(file) : stringify(file).trimEnd());
}

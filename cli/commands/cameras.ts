// `deno task cameras add|list|remove|run|probe|discover`: the registry of cameras, and a process for all of
// them.
import { CameraRegistry, openState, type RegisteredCamera } from "../../cameras/registry.ts";
import {
  type CameraSettings,
  describeSettings,
  settingsFromFlags,
} from "../../cameras/settings.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { CameraFleet } from "../camera_fleet.ts";
import { discoverCameras, lookOptions, probe } from "../camera_look.ts";
import {
  cameraHost,
  numberFaults,
  parseSource,
  publishOptions,
  serveMetrics,
  settingOptions,
  togetherFaults,
} from "../camera_options.ts";
import {
  actionFaults,
  command,
  type CommandContext,
  noArguments,
  type Options,
  type Values,
} from "../command.ts";
import { commonOptions } from "../common_options.ts";
import { openLogOrUsageError, throwIfRefused } from "../log_options.ts";

const ACTIONS = ["add", "list", "remove", "run", "probe", "discover"] as const;
/** Said where no camera is registered. */
const NONE = "No camera is registered: add one with add N SOURCE";
type Action = typeof ACTIONS[number];

const camerasOptions = {
  ...settingOptions,
  ...publishOptions,
  ...lookOptions,
  json: { switch: true, help: "Print one JSON object per line" },
  ...commonOptions,
} as const satisfies Options;
type CamerasValues = Values<typeof camerasOptions>;

export const cameras = command({
  name: "cameras",
  summary:
    "Manages a registry of cameras and runs them all; inspects a camera (probe), finds cameras (discover).",
  positionals: "add N SOURCE | list | remove N | run | probe SOURCE | discover",
  options: camerasOptions,
  needs: {
    positionals: { probe: "source" },
    native: ["jpeg", "sharp", "ffmpeg"],
    hidesEnvironment: true,
    // Cameras that are added while it runs, and devices that answer, may be anywhere.
    wide: { run: ["read", "net"], discover: ["net"] },
  },
  check: ({ positionals, options }) => argumentFaults(positionals, options),
  async run({ positionals: [action, ...rest], options: values }, context) {
    const settings = settingsFromFlags(values);
    if (action === "probe") return await probe(rest[0]!, settings, values, context);
    if (action === "discover") return await discoverCameras(values, context);
    using kv = await openState(values.state);
    const registry = new CameraRegistry(kv, context.say);
    switch (action as Exclude<Action, "probe" | "discover">) {
      case "add":
        return await add(registry, Number(rest[0]), rest[1]!, settings, context);
      case "list":
        return await list(registry, values, context);
      case "remove":
        return await remove(registry, Number(rest[0]), context);
      case "run":
        return await runAll(registry, kv, values, context);
    }
  },
});

function argumentFaults(
  [action, ...rest]: readonly string[],
  options: Readonly<Record<string, unknown>>,
): string[] {
  switch (action) {
    case "add": {
      if (rest.length !== 2) return ["Cannot add a camera: expected add N SOURCE"];
      return [...numberFaults(rest.slice(0, 1)), ...sourceFaults(rest[1]!, options)];
    }
    case "probe":
      return rest.length === 1
        ? sourceFaults(rest[0]!, options)
        : ["Cannot probe a camera: expected probe SOURCE"];
    case "remove":
      return numberFaults(rest);
    case "list":
    case "run":
    case "discover":
      return noArguments({ positionals: rest }, action);
    default:
      return actionFaults(action, ACTIONS, "cameras");
  }
}

function sourceFaults(text: string, options: Readonly<Record<string, unknown>>): string[] {
  try {
    parseSource(text);
    return togetherFaults(text, options);
  } catch (error) {
    return [`Cannot use source ${maskUrl(text)}: ${(error as Error).message}`];
  }
}

async function add(
  registry: CameraRegistry,
  number: number,
  source: string,
  settings: CameraSettings,
  { say }: CommandContext,
): Promise<number> {
  const camera: RegisteredCamera = { number, source, ...settings };
  const known = await registry.has(number);
  await registry.add(camera);
  say(`CAMERA-${number} ${known ? "changed" : "added"}: ${describe(camera)}`);
  return 0;
}

async function list(
  registry: CameraRegistry,
  { json = false }: CamerasValues,
  { print, say }: CommandContext,
): Promise<number> {
  const entries = await registry.list();
  for (const { camera } of entries) {
    const { number, source, ...settings } = camera;
    const status = await registry.status(number);
    const failure = status?.error === undefined
      ? ""
      : `\n${" ".repeat(10)}${status.error} (${status.state})`;
    print(
      json
        ? JSON.stringify({
          type: "camera",
          camera: `CAMERA-${number}`,
          partition: number - 1,
          source: maskUrl(source),
          ...settings,
          ...(status === undefined ? {} : { status }),
        })
        : `CAMERA-${number}  ${describe(camera)}${failure}`,
    );
  }
  if (entries.length === 0 && !json) say(NONE);
  return 0;
}

async function remove(
  registry: CameraRegistry,
  number: number,
  { say }: CommandContext,
): Promise<number> {
  if (await registry.remove(number)) {
    say(`CAMERA-${number} removed`);
    return 0;
  }
  say(`Cannot remove CAMERA-${number}: it is not registered`);
  return 1;
}

async function runAll(
  registry: CameraRegistry,
  kv: Deno.Kv,
  values: CamerasValues,
  context: CommandContext,
): Promise<number> {
  const log = await openLogOrUsageError(values.log);
  const over = new AbortController();
  try {
    await throwIfRefused(log, values.topic, context.signal);
    if ((await registry.list()).length === 0) context.say(`${NONE}; waiting for one`);
    const host = { ...await cameraHost(log, values), kv };
    const fleet = new CameraFleet({ host, registry, json: values.json ?? false }, context);
    serveMetrics(values, () => fleet.measured(), over.signal, context.say);
    await fleet.run();
    return 0;
  } finally {
    over.abort();
    await log.close();
  }
}

/** Describes a camera, without secrets. */
function describe(camera: RegisteredCamera): string {
  return [maskUrl(camera.source), ...describeSettings(camera)].join(", ");
}

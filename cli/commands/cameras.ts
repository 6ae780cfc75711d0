// `deno task cameras add|list|remove|run|probe|discover`: the registry of cameras, and a process for all of
// them.
import { CameraRegistry, openState, type RegisteredCamera } from "../../cameras/registry.ts";
import { type CameraSettings, settingsFromFlags, settingWords } from "../../cameras/settings.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { CameraFleet } from "../camera_fleet.ts";
import { discoverCameras, lookOptions, probe, quoted } from "../camera_look.ts";
import {
  cameraHost,
  numberFaults,
  publishFaults,
  publishOptions,
  serveMetrics,
  settingOptions,
  stateOption,
  togetherFaults,
} from "../camera_options.ts";
import { command, type CommandContext, type Options, optionsOf, type Values } from "../command.ts";
import { openLogOrUsageError, RUNTIME_NEEDS, throwIfRefused } from "../log_options.ts";

/** Said where no camera is registered. */
const NONE = "No camera is registered: add one with add N SOURCE";

const camerasOptions = {
  ...optionsOf(["add", "probe"], settingOptions),
  ...optionsOf(["run"], publishOptions),
  ...optionsOf(["add", "list", "remove", "run"], stateOption),
  ...lookOptions,
  json: {
    switch: true,
    actions: ["list", "run", "probe", "discover"],
    help: "Print one JSON object per line",
  },
} as const satisfies Options;
type CamerasValues = Values<typeof camerasOptions>;

export const cameras = command({
  positionals: "add N SOURCE | list | remove N | run | probe SOURCE | discover",
  options: camerasOptions,
  needs: {
    positionals: { probe: "source" },
    native: ["jpeg", "sharp", "ffmpeg"],
    sys: RUNTIME_NEEDS.sys,
    // Cameras that are added while it runs, and devices that answer, may be anywhere.
    wide: { run: ["read", "net", "relays"], discover: ["net"] },
  },
  check: ({ positionals: [action, ...words], options }, _, flags) => [
    ...publishFaults(options, flags),
    ...numberFaults(action === "add" || action === "remove" ? words[0] : undefined),
    ...togetherFaults({ add: words[1], probe: words[0] }[action ?? ""], options),
    ...(action === "discover" && options.password !== undefined && options.user === undefined
      ? ["Cannot use --password: expected --user as well"]
      : []),
  ],
  async run({ positionals: [action, ...rest], options: values }, context) {
    const settings = settingsFromFlags(values);
    if (action === "probe") return await probe(rest[0]!, settings, values, context);
    if (action === "discover") return await discoverCameras(values, context);
    using kv = await openState(values.state);
    const registry = new CameraRegistry(kv, context.say);
    if (action === "add") {
      return await add(registry, Number(rest[0]), rest[1]!, settings, context);
    }
    if (action === "list") return await list(registry, values, context);
    if (action === "remove") return await remove(registry, Number(rest[0]), context);
    return await runAll(registry, kv, values, context);
  },
});

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
  const log = await openLogOrUsageError(values.log, context);
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

function describe(camera: RegisteredCamera): string {
  return [maskUrl(camera.source), ...settingWords(camera).map(quoted)].join(" ");
}

// `deno task models inspect|check|presets|devices`: describes a model file and drafts its manifest, validates
// a manifest, and lists presets and devices.
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  draftManifest,
  ManifestError,
  type OnnxFile,
  type OnnxValue,
  readManifest,
  readOnnx,
  shapeText,
  staysBelow,
} from "../../queries/operators/model/mod.ts";
import { exists, writeWhole } from "../../runtime/base/folders.ts";
import { command, type CommandContext, type Options, type Values } from "../command.ts";
import { counted } from "../output.ts";
import { endOnSignals } from "../process.ts";

const PRESETS = fileURLToPath(new URL("../../models/presets/", import.meta.url));

const modelOptions = {
  out: {
    value: "FILE",
    actions: ["inspect"],
    help: "Where to write the manifest (default: model.json beside the model)",
    opens: "file",
  },
  force: { switch: true, actions: ["inspect"], help: "Overwrite an existing manifest" },
  json: { switch: true, help: "Print one JSON object per line" },
} as const satisfies Options;
type ModelValues = Values<typeof modelOptions>;

export const models = command({
  positionals: "inspect X.onnx | check model.json | presets | devices",
  options: modelOptions,
  needs: {
    positionals: { inspect: "model", check: "model" },
    authors: ["models"],
    native: ["jpeg", "onnx"],
  },
  check({ positionals: [action, model], options: { out } }) {
    if (action !== "inspect" || out === undefined || model === undefined) return [];
    if (staysBelow(relative(dirname(out), model))) return [];
    return [
      `Cannot write ${out}: expected a path in a folder above ${model}, where manifests find their models`,
    ];
  },
  run({ positionals: [action, file], options: values }, context) {
    if (action === "inspect") return inspect(file!, values, context);
    if (action === "check") return check(file!, values, context);
    return action === "presets" ? presets(values, context) : devices(values, context);
  },
});

async function inspect(
  file: string,
  values: ModelValues,
  context: CommandContext,
): Promise<number> {
  const { out = join(dirname(file), "model.json"), force = false, json = false } = values;
  const { print, say } = context;
  const onnx = readOnnx(file);
  const name = basename(file).replace(/\.onnx$/i, "");
  if (!json) { for (const line of describe(onnx)) print(line); }
  const { manifest, notes } = draftManifest(onnx, name, relative(dirname(out), file));
  if (json) print(JSON.stringify({ ...onnx, manifest, notes }));
  if (force || !await exists(out)) {
    await writeWhole(out, JSON.stringify(manifest, null, 2) + "\n");
    say(`Wrote ${out}: a draft manifest; please check`);
  } else {
    say(`Did not write ${out}: it already exists (--force overwrites it). A new one would need`);
  }
  for (const note of notes) say(`  ${note}`);
  return 0;
}

function describe({ producer, opset, bytes, sha256, inputs, outputs }: OnnxFile): string[] {
  const value = ({ name, dtype, shape }: OnnxValue) => `  ${name}  ${dtype}  ${shapeText(shape)}`;
  return [
    `${(bytes / 1e6).toFixed(1)} MB, opset ${opset ?? "unknown"}, made by ${producer || "unknown"}`,
    `sha256 ${sha256}`,
    "inputs",
    ...inputs.map(value),
    "outputs",
    ...outputs.map(value),
  ];
}

async function check(
  path: string,
  { json = false }: ModelValues,
  { print, say }: CommandContext,
): Promise<number> {
  const { tryModel } = await import("../../queries/operators/model/trial.ts");
  endOnSignals();
  try {
    const { manifest, file: { sha256 }, outputs, result, remarks, ms } = await tryModel(path);
    const { name, frames, hop, inputs: [input] } = manifest;
    if (json) {
      print(JSON.stringify({ ok: true, name, sha256, faults: [], remarks, outputs, result, ms }));
      return 0;
    }
    print(
      `${path} fits ${manifest.file}: ${name}, windows of ${
        counted(frames, "frame")
      } every ${hop}, ` +
        `${input!.width}x${input!.height} ${input!.color}`,
    );
    print(`One run on grey frames took ${ms.toFixed(1)} ms and returned`);
    for (const { name, dtype, shape } of outputs) print(`  ${name}  ${dtype}  ${shapeText(shape)}`);
    print(`which decodes to ${result}`);
    for (const remark of remarks) say(remark, "warn");
    return 0;
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    if (json) print(JSON.stringify({ ok: false, faults: error.faults }));
    else say(error.message);
    return 1;
  }
}

async function devices({ json = false }: ModelValues, { print }: CommandContext): Promise<number> {
  const { listDevices } = await import("../../queries/operators/model/devices.ts");
  for (const one of listDevices()) {
    const { device, available, needs } = one;
    print(
      json
        ? JSON.stringify({ type: "device", ...one })
        : `${device.padEnd(8)} ${available.padEnd(6)} needs ${needs}`,
    );
  }
  return 0;
}

async function presets({ json = false }: ModelValues, { print }: CommandContext): Promise<number> {
  const entries = await Array.fromAsync(Deno.readDir(PRESETS));
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(".json")).sort();
  for (const entry of names) {
    const { name, licence, source } = readManifest(join(PRESETS, entry));
    const file = relative(Deno.cwd(), join(PRESETS, entry));
    const line = JSON.stringify({ type: "preset", file, name, licence, source });
    print(json ? line : `${file.padEnd(40)} ${source ?? ""}`);
  }
  return 0;
}

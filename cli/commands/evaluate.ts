// `deno task evaluate`: measures a model on labelled clips.
import {
  checkAgainstFile,
  ManifestError,
  mayName,
  namesOf,
  readManifest,
} from "../../queries/operators/model/mod.ts";
import { writeWhole } from "../../runtime/base/folders.ts";
import { brief, range, shown } from "../../runtime/base/options.ts";
import { ClipsError, findClips } from "../../tools/evaluate/clips.ts";
import { evaluate as evaluateAlerts, rocCurve, sweep } from "../../tools/evaluate/metrics.ts";
import { plot, type Report, table } from "../../tools/evaluate/report.ts";
import { scoreClip, type ScoredClip } from "../../tools/evaluate/score.ts";
import { command, type Options, parsers, UsageError, type Values } from "../command.ts";

const THRESHOLDS = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);

const evaluateOptions = {
  model: { value: "MANIFEST", help: "model.json of the model", required: true, opens: "beside" },
  clips: {
    value: "PATH",
    help: "A folder with a subfolder of clips for each label, or a JSON list of clips",
    required: true,
    opens: "clips",
  },
  label: { value: "LABEL", help: "Label to look for (default: that of the manifest's alert)" },
  threshold: {
    value: "SCORE",
    help: "Score that raises an alert (default: `enter` of the manifest's alert, or 0.6)",
    parse: parsers.number(range({ min: 0, max: 1 })),
  },
  fps: {
    value: "F",
    help: "Frames per second of clips that are folders of images",
    default: 25,
    parse: parsers.positive,
  },
  out: { value: "FILE", help: "Write the report as JSON", opens: "file" },
  plot: { value: "FILE", help: "Write the curves as SVG", opens: "file" },
  json: { switch: true, help: "Print the report as one JSON object" },
} as const satisfies Options;

export const evaluate = command({
  options: evaluateOptions,
  needs: { native: ["jpeg", "sharp", "ffmpeg", "onnx"] },
  async run({ options: values }, { signal, print, say }) {
    const { label, alert, clips, sha256, name } = prepare(values);
    const scored: ScoredClip[] = [];
    for (const [i, clip] of clips.entries()) {
      signal.throwIfAborted();
      const result = await scoreClip(clip, values.model, label, values.fps, signal, say);
      scored.push(result);
      const highest = result.points.reduce((most, { score }) => Math.max(most, score), -Infinity);
      const found = result.points.length === 0
        ? result.badFrames > 0 ? "no score" : "no window: the clip is too short"
        : `highest score ${highest.toFixed(2)}`;
      say(`${i + 1}/${clips.length} ${clip.path} ${clip.positive ? label : "quiet"}: ${found}`);
    }
    const total = (of: (clip: ScoredClip) => number) =>
      scored.reduce((sum, clip) => sum + of(clip), 0);
    const report: Report = {
      model: { name, sha256 },
      label,
      enter: alert.enter,
      evaluation: evaluateAlerts(scored, alert),
      sweep: sweep(scored, alert, THRESHOLDS),
      roc: rocCurve(scored, alert),
      frames: total(({ frames }) => frames),
      badFrames: total(({ badFrames }) => badFrames),
    };
    const json = JSON.stringify({
      ...report,
      clips: scored.map(({ path, positive, points, durationMs }) => ({
        path,
        positive,
        durationMs,
        points,
      })),
    });
    for (const line of values.json ? [json] : table(report)) print(line);
    if (values.out !== undefined) await writeWhole(values.out, json + "\n");
    if (values.plot !== undefined) await writeWhole(values.plot, plot(report));
    return 0;
  },
});

/** @throws {UsageError} with all faults of the manifest, the label and the clips */
function prepare(
  { model, clips: path, label: given, threshold }: Values<typeof evaluateOptions>,
) {
  const faults: string[] = [];
  const attempt = <T>(make: () => T): T | undefined => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof ManifestError) && !(error instanceof ClipsError)) throw error;
      faults.push(error.message);
      return undefined;
    }
  };
  const found = attempt(() => {
    const manifest = readManifest(model);
    return { manifest, sha256: checkAgainstFile(manifest, model).sha256 };
  });
  const label = given ?? found?.manifest.alert?.label;
  const outputs = found?.manifest.outputs;
  if (outputs !== undefined && !mayName(outputs, label)) {
    faults.push(
      `Cannot look for ${
        label === undefined ? "nothing" : shown(label)
      }: expected --label with one of ${brief(outputs.flatMap(namesOf).join(", "))}`,
    );
  }
  const clips = label === undefined ? undefined : attempt(() => findClips(path, label));
  if (faults.length > 0 || found === undefined || clips === undefined) throw new UsageError(faults);
  const { manifest: { alert: own, name }, sha256 } = found;
  const enter = threshold ?? own?.enter ?? 0.6;
  const alert = { ...own, label: label!, enter, exit: Math.min(enter, own?.exit ?? 0.4) };
  return { label: label!, alert, clips, sha256, name };
}

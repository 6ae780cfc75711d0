// Webcams and other cameras of this machine.
import { parseFps, parseSize, readOptions } from "../options.ts";
import { type SourceContext, SourceError, type SourceImage } from "../source.ts";
import { type SourceKindRow, withoutAuto } from "../source_kind.ts";
import type { CameraSettings } from "../settings.ts";
import { liveVideo } from "./live_video.ts";

interface DeviceOptions extends CameraSettings {
  /** The size, frame rate and encoding to request from the camera, e.g. `mjpeg`. */
  readonly captureSize?: string;
  readonly captureFps?: number;
  readonly format?: string;
}

/** FFmpeg's input format for cameras, and its name for camera n. */
const INPUTS: Partial<
  Record<typeof Deno.build.os, readonly [format: string, (n: string) => string]>
> = {
  linux: ["v4l2", (n) => n.startsWith("/dev/") ? n : `/dev/video${n}`],
  darwin: ["avfoundation", (n) => `${n}:none`],
  windows: ["dshow", (n) => `video=${n}`],
};

// `device:0` is `/dev/video0` on Linux (V4L2; a path below `/dev` also works) and the first camera
// on macOS; on Windows, use the camera's name instead of a number.
function open(
  device: string,
  { captureSize, captureFps, format, ...stream }: DeviceOptions,
  context: SourceContext,
): AsyncIterable<SourceImage> {
  const [input, nameOf] = INPUTS[Deno.build.os] ?? INPUTS.linux!;
  const url = nameOf(device);
  const options: Record<string, string> = {};
  if (captureSize !== undefined) options.video_size = captureSize;
  if (captureFps !== undefined) options.framerate = String(captureFps);
  if (format !== undefined) options[input === "v4l2" ? "input_format" : "vcodec"] = format;
  const name = `device ${url}`;
  return liveVideo(
    { url, name, protocols: ["file"], format: input, options, local: false },
    stream,
    context,
  );
}

export const deviceRow: SourceKindRow = {
  schemes: ["device"],
  form: "device:0",
  help: "A webcam: its number, or its path below /dev",
  access: { target: "device" },
  uses: () => ["stallMs"],
  video: true,
  make(text, rest, settings) {
    const { rest: device, options } = readOptions(text, rest, {
      captureSize(size: string) {
        parseSize(size);
        return size;
      },
      captureFps: parseFps,
      format: parseName,
    });
    if (device === "" || /(?:^|\/)\.\.(?:\/|$)/.test(device)) {
      throw new SourceError(
        "INVALID",
        `Cannot use source ${text}: expected device:NUMBER or device:/dev/…`,
      );
    }
    const all = { ...options, ...withoutAuto(settings) };
    return { description: text, kind: "live", open: (context) => open(device, all, context) };
  },
};

function parseName(text: string): string {
  if (!/^[a-z0-9_]+$/i.test(text)) throw new Error("expected letters and digits");
  return text;
}

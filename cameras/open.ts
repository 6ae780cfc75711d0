/**
 * Makes a source of what a person wrote.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { UriAccess } from "../runtime/base/access.ts";
import { maskUrl } from "../runtime/base/mask.ts";
import { parseFps, parseSize, readOptions } from "./options.ts";
import { type CameraSource, type ImageSettings, SourceError } from "./source.ts";
import { DeviceSource } from "./sources/device.ts";
import { VideoFileSource } from "./sources/file.ts";
import { FolderSource } from "./sources/folder.ts";
import { MjpegSource } from "./sources/mjpeg.ts";
import { PanSource } from "./sources/pan.ts";
import { PatternSource } from "./sources/pattern.ts";
import { RtspSource } from "./sources/rtsp.ts";

/** What the command line or the registry says beside the source. It wins over the source's options. */
export interface SourceSettings extends ImageSettings {
  /** Frames a second; `max` leaves out all waiting. */
  readonly fps?: number | "max";
  /** Absent: neither asked for nor refused. */
  readonly loop?: boolean;
}

/** What a source may be, for help and messages. */
export const ACCEPTED_SOURCES =
  "a video file, a folder of images, rtsp://…, http://… (MJPEG), device:0, pattern:, pan:PICTURE";

/** What each kind of source opens, by its scheme, for the launcher; "" is a path. */
export const SOURCE_ACCESS: Readonly<Record<string, UriAccess>> = {
  "": { target: "read" },
  file: { target: "read" },
  pan: { target: "read" },
  pattern: {},
  device: { target: "device" },
  http: { target: "host" },
  https: { target: "host" },
  rtsp: { target: "stream" },
  rtsps: { target: "stream" },
  "rtsp+udp": { target: "stream" },
};

/**
 * Makes a source of what `ACCEPTED_SOURCES` names.
 * Nothing is opened; only whether a path is a folder is looked up.
 *
 * @throws {SourceError} `INVALID` saying what is accepted.
 */
export function makeSource(text: string, settings: SourceSettings = {}): CameraSource {
  const { fps, loop: _loop, ...image } = settings;
  const rate = typeof fps === "number" ? { fps } : {};
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase() ?? "";
  const rest = text.slice(scheme.length + 1);
  switch (scheme) {
    case "pattern": {
      const { options } = readOptions(text, rest, {
        size: parseSize,
        fps: parseFps,
        hue: parseHue,
        name: (name: string) => name,
        motion: parseSwitch,
      });
      return new PatternSource(text, { ...options, ...image, ...rate });
    }
    case "pan": {
      const { rest: path, options } = readOptions(text, rest, {
        size: parseSize,
        fps: parseFps,
        zoom: parseZoom,
        period: parsePeriod,
      });
      if (path === "") {
        throw new SourceError("INVALID", `Cannot use source ${text}: it names no picture`);
      }
      return new PanSource(text, path, { ...options, ...image, ...rate });
    }
    case "rtsp":
    case "rtsps":
    case "rtsp+udp":
      checkUrl(text, scheme);
      return new RtspSource(text, { ...image, ...rate });
    case "http":
    case "https":
      checkUrl(text, scheme);
      return new MjpegSource(text, { ...image, ...rate });
    case "device": {
      const { rest: device, options } = readOptions(text, rest, {
        captureSize: (size: string) => {
          parseSize(size);
          return size;
        },
        captureFps: parseFps,
        format: parseName,
      });
      if (device === "") {
        throw new SourceError("INVALID", `Cannot use source ${text}: expected device:NUMBER`);
      }
      return new DeviceSource(text, device, { ...options, ...image, ...rate });
    }
    case "":
      return fromPath(text, settings);
    case "file":
      return fromPath(text.startsWith("file://") ? fileURLToPath(text) : rest, settings);
    default:
      if (!rest.startsWith("//") && kindOf(text) !== "missing") {
        return fromPath(text, settings);
      }
      throw new SourceError(
        "INVALID",
        `Cannot use a source that begins with "${scheme}:": expected ${ACCEPTED_SOURCES}`,
      );
  }
}

function fromPath(path: string, { fps, loop, ...image }: SourceSettings): CameraSource {
  if (path === "") {
    throw new SourceError("INVALID", `Cannot use an empty source: expected ${ACCEPTED_SOURCES}`);
  }
  if (kindOf(path) !== "folder") {
    return new VideoFileSource(path, { ...image, loop: loop ?? false, bulk: fps === "max" });
  }
  const mode = loop === undefined ? "watch" : loop ? "loop" : "once";
  return new FolderSource(path, { ...image, mode });
}

function kindOf(path: string): "folder" | "file" | "missing" {
  try {
    return Deno.statSync(path).isDirectory ? "folder" : "file";
  } catch (error) {
    // What else is wrong with it is told when it is opened.
    if (error instanceof Deno.errors.NotFound) return "missing";
    return "file";
  }
}

function checkUrl(text: string, scheme: string): void {
  if (URL.canParse(text) && new RegExp(`^${scheme.replace("+", "\\+")}://[^/]`, "i").test(text)) {
    return;
  }
  throw new SourceError(
    "INVALID",
    `Cannot use source ${maskUrl(text)}: expected ${scheme}://[USER:PASSWORD@]HOST[:PORT]/PATH`,
  );
}

function parseHue(text: string): number {
  const hue = Number(text);
  if (text === "" || !(hue >= 0 && hue <= 360)) throw new Error("expected degrees from 0 to 360");
  return hue;
}

function parseName(text: string): string {
  if (!/^[a-z0-9_]+$/i.test(text)) throw new Error("expected letters and digits");
  return text;
}

function parseSwitch(text: string): boolean {
  if (text === "on" || text === "off") return text === "on";
  throw new Error("expected on or off");
}

function parseZoom(text: string): number {
  const zoom = Number(text);
  if (text === "" || !(zoom >= 0.1 && zoom <= 1)) throw new Error("expected 0.1 to 1");
  return zoom;
}

function parsePeriod(text: string): number {
  const period = Number(text);
  if (text === "" || !(period > 0)) throw new Error("expected seconds above 0");
  return period;
}

// A camera's settings: one row each, for the command line, the registry and messages.
import type { AccessWord } from "../runtime/base/access.ts";
import { number, oneOf, range, taken, whole } from "../runtime/base/options.ts";
import { parseFps, parseSize } from "./options.ts";
import type { CodecChoice, Size } from "./source.ts";
import { DEFAULT_OPEN_TIMEOUT_MS, DEFAULT_STALL_MS } from "./watchdog.ts";

/** The settings of a camera. They override the options in its source. */
export interface CameraSettings {
  /** Frames per second; `max` for no pacing. */
  readonly fps?: number | "max";
  /** Scales frames to this size. */
  readonly size?: Size;
  /** JPEG quality, 1 to 100. */
  readonly quality?: number;
  /** How H.264 and H.265 are published; `auto` by default. */
  readonly codec?: CodecChoice;
  /** Absent if neither `--loop` nor `--no-loop` was given. */
  readonly loop?: boolean;
  readonly name?: string;
  /** Groups cameras. */
  readonly place?: string;
  /** Reopens a live source after this long without data, milliseconds. */
  readonly stallMs?: number;
  /** Time limit for opening a network camera, milliseconds. */
  readonly openTimeoutMs?: number;
  /** PEM file of the only certificates to trust. */
  readonly tlsCa?: string;
  /** Accepts any certificate. */
  readonly tlsInsecure?: boolean;
}

/** How a setting is written, read and checked. */
export interface SettingRow<T> {
  /** The option's name, without dashes. */
  readonly flag: string;
  /** Placeholder of the value in the help; absent for switches. */
  readonly value?: string;
  readonly help: string;
  /** The permission that its value requires. */
  readonly opens?: AccessWord;
  /** @throws {Error} saying what is accepted. */
  readonly parse?: (text: string) => T;
}

type Values = Required<CameraSettings>;
type Rows = { readonly [K in keyof Values]: SettingRow<Values[K]> };

const LONGEST_NAME = 100;
/** A day at most. */
const SECONDS = {
  ...range({ min: 0, max: 86_400, above: true }),
  accepted: "seconds above 0, at most 86400",
};

/** All settings, in the order of the help. */
export const SETTINGS: Rows = {
  fps: {
    flag: "fps",
    value: "FPS",
    help:
      "Frames per second, or max for no pacing; an upper limit for live sources (default: the source's own, 1 for snapshots)",
    parse: (text) => text === "max" ? text : parseFps(text, "max or "),
  },
  size: {
    flag: "size",
    value: "WxH",
    help: "Scale every frame to this size (default: as it is)",
    parse: parseSize,
  },
  quality: {
    flag: "quality",
    value: "Q",
    help:
      "JPEG quality, 1 to 100; without it JPEG sources pass unchanged, others are encoded at 80",
    parse: number(whole(1, 100)),
  },
  codec: {
    flag: "codec",
    value: "CODEC",
    help:
      "For H.264 and H.265: copy publishes them unchanged, jpeg converts them, auto copies RTSP streams where possible (default: auto)",
    parse: (text) => taken(text as CodecChoice, oneOf("auto", "copy", "jpeg")),
  },
  loop: {
    flag: "loop",
    help: "Play a recording over and over; --no-loop ends a folder instead of watching it",
  },
  name: {
    flag: "name",
    value: "TEXT",
    help: "Display name of the camera: on tiles, in messages, in the header camera-name",
    parse: parseName,
  },
  place: {
    flag: "place",
    value: "TEXT",
    help: "Location of the camera, to group cameras by; in the header camera-place",
    parse: parseName,
  },
  stallMs: seconds(
    "stall",
    "Open a live source again when nothing arrives for this long",
    DEFAULT_STALL_MS,
  ),
  openTimeoutMs: seconds(
    "open-timeout",
    "Give up opening a network camera after this long",
    DEFAULT_OPEN_TIMEOUT_MS,
  ),
  tlsCa: {
    flag: "tls-ca",
    value: "FILE",
    help: "Trust the certificates in this PEM file, and no others (https://, rtsps://)",
    opens: "read",
  },
  tlsInsecure: {
    flag: "tls-insecure",
    help: "Accept any certificate: anyone on the network path can read the password and the video",
  },
};

const SETTING_NAMES = Object.keys(SETTINGS) as (keyof CameraSettings)[];

/** The settings among an object's fields, such as those of a registered camera. */
export function settingsOf(from: CameraSettings): CameraSettings {
  return pick((name) => from[name]);
}

/** The settings among parsed options, which have the names of their flags. */
export function settingsFromFlags(options: Readonly<Record<string, unknown>>): CameraSettings {
  return pick((name) => options[SETTINGS[name].flag]);
}

function pick(of: (name: keyof CameraSettings) => unknown): CameraSettings {
  return Object.fromEntries(
    SETTING_NAMES.map((name) => [name, of(name)]).filter(([, value]) => value !== undefined),
  );
}

/** Validates settings that another version or program may have written. */
export function settingFaults(from: Readonly<Record<string, unknown>>): string[] {
  return SETTING_NAMES
    .filter((name) => from[name] !== undefined && !isValid(name, from[name]))
    .map((name) => `its ${name} is not valid for --${SETTINGS[name].flag}`);
}

function isValid(name: keyof CameraSettings, value: unknown): boolean {
  const row: Pick<SettingRow<unknown>, "value" | "parse"> = SETTINGS[name];
  const { value: form, parse = (text: string) => text } = row;
  if (form === undefined) return typeof value === "boolean";
  const text = textOf(name, value);
  try {
    return text !== "" && textOf(name, parse(text)) === text && typeof parse(text) === typeof value;
  } catch {
    return false; // The parser rejects it.
  }
}

function textOf(name: keyof CameraSettings, value: unknown): string {
  if (typeof value === "object") {
    const { width, height } = Object(value) as Partial<Size>;
    return typeof width === "number" && typeof height === "number" ? `${width}x${height}` : "";
  }
  return String(typeof value === "number" && name.endsWith("Ms") ? value / 1000 : value);
}

/** The settings as they are written on a command line. */
export function settingWords(settings: CameraSettings): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const value = settings[name];
    const { flag } = SETTINGS[name];
    if (value === undefined) return [];
    if (typeof value === "boolean") return [`--${value ? "" : "no-"}${flag}`];
    return [`--${flag}=${textOf(name, value)}`];
  });
}

function seconds(flag: string, help: string, defaultMs: number): SettingRow<number> {
  return {
    flag,
    value: "SECONDS",
    help: `${help} (default ${defaultMs / 1000})`,
    parse: (text) => 1000 * number(SECONDS)(text),
  };
}

function parseName(text: string): string {
  // Joiners are part of emoji, and of Persian and Indic words.
  const fits = /[^\p{C}\p{Z}]/u.test(text) && [...text].length <= LONGEST_NAME &&
    !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(text);
  if (fits) return text;
  throw new Error(`expected 1 to ${LONGEST_NAME} characters, without control characters`);
}

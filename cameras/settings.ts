// A camera's settings: one row each, for the command line, the
// registry, and every text about them.
import type { AccessWord } from "../runtime/base/access.ts";
import { DEFAULT_TIME_JUMP_MS } from "./capture_times.ts";
import { MOST_PIXELS_A_SIDE, parseFps, parseSize } from "./options.ts";
import type { CodecChoice, Size } from "./source.ts";
import { DEFAULT_OPEN_TIMEOUT_MS } from "./sources/live_video.ts";
import { DEFAULT_STALL_MS } from "./watchdog.ts";

/** The settings of a camera. They win over the options that stand in its source. */
export interface CameraSettings {
  /** Frames a second; `max` leaves out all waiting. */
  readonly fps?: number | "max";
  /** Scaled to this size. */
  readonly size?: Size;
  /** JPEG quality, 1 to 100. */
  readonly quality?: number;
  /** What becomes of H.264 and H.265; `auto` unless given. */
  readonly codec?: CodecChoice;
  /** Absent: neither asked for nor refused. */
  readonly loop?: boolean;
  /** What people call the camera. */
  readonly name?: string;
  /** Groups cameras. */
  readonly place?: string;
  /** A live source from which nothing arrives for this long is opened again, milliseconds. */
  readonly stallMs?: number;
  /** Opening a network camera may take this long, milliseconds. */
  readonly openTimeoutMs?: number;
  /** A step of a stream's own time beyond this is a jump, milliseconds. */
  readonly timeJumpMs?: number;
  /** File of the certificates that are trusted, PEM. */
  readonly tlsCa?: string;
  /** True: any certificate is taken. */
  readonly tlsInsecure?: boolean;
}

/** How a setting is written, read and checked. */
export interface SettingRow<T> {
  /** Its option, without dashes. */
  readonly flag: string;
  /** What its value looks like; absent for switches. */
  readonly value?: string;
  readonly help: string;
  /** What its value lets the run touch. */
  readonly opens?: AccessWord;
  /** Throws an Error that says what is accepted. */
  readonly parse?: (text: string) => T;
  /** Whether the registry may hold it. */
  readonly valid: (value: unknown) => boolean;
  /** For people; undefined for what need not be shown. */
  readonly show: (value: T) => string;
}

type Values = Required<CameraSettings>;
type Rows = { readonly [K in keyof Values]: SettingRow<Values[K]> };

const LONGEST_NAME = 100;
const MOST_SECONDS = 24 * 3600;

/** All settings, in the order of the help. */
export const SETTINGS: Rows = {
  fps: {
    flag: "fps",
    value: "FPS",
    help:
      "Frames per second, or max for no pacing; a limit for live sources, 1 for snapshots by default (default: the source's own)",
    parse: (text) => text === "max" ? "max" : parseFps(text),
    valid: (value) => value === "max" || isNumber(value, 0, 1_000) && value > 0,
    show: (fps) => `${fps} frames/s`,
  },
  size: {
    flag: "size",
    value: "WxH",
    help: "Scale every frame to this size (default: as it is)",
    parse: parseSize,
    valid: (value) =>
      isObject(value) && isWhole(value["width"], MOST_PIXELS_A_SIDE) &&
      isWhole(value["height"], MOST_PIXELS_A_SIDE),
    show: ({ width, height }) => `${width}x${height}`,
  },
  quality: {
    flag: "quality",
    value: "Q",
    help: "JPEG quality, 1 to 100; JPEG sources pass as they are without it, others get 80",
    parse: parseQuality,
    valid: (value) => isWhole(value, 100),
    show: (quality) => `quality ${quality}`,
  },
  codec: {
    flag: "codec",
    value: "CODEC",
    help:
      "Of H.264 and H.265: copy publishes them as they came, jpeg makes JPEG of them, auto copies RTSP streams where it can (default: auto)",
    parse: parseCodec,
    valid: isCodec,
    show: (codec) => `codec ${codec}`,
  },
  loop: {
    flag: "loop",
    help: "Play a recording over and over; --no-loop ends a folder instead of watching it",
    valid: isBoolean,
    show: (loop) => loop ? "looped" : "not looped",
  },
  name: {
    flag: "name",
    value: "TEXT",
    help: "What people call the camera: on tiles, in messages, in the header camera-name",
    parse: parseName,
    valid: isName,
    show: (name) => name,
  },
  place: {
    flag: "place",
    value: "TEXT",
    help: "Where the camera is: groups cameras; in the header camera-place",
    parse: parseName,
    valid: isName,
    show: (place) => `at ${place}`,
  },
  stallMs: seconds("stall", "Open a live source again when nothing arrives for this long", {
    default: DEFAULT_STALL_MS,
    show: (ms) => `stalled after ${ms / 1000} s`,
  }),
  openTimeoutMs: seconds("open-timeout", "Give up opening a network camera after this long", {
    default: DEFAULT_OPEN_TIMEOUT_MS,
    show: (ms) => `${ms / 1000} s to open`,
  }),
  timeJumpMs: seconds("time-jump", "Correct steps in a stream's timestamps above this", {
    default: DEFAULT_TIME_JUMP_MS,
    show: (ms) => `jumps beyond ${ms / 1000} s`,
  }),
  tlsCa: {
    flag: "tls-ca",
    value: "FILE",
    help: "Trust the certificates in this PEM file, and no others (https://, rtsps://)",
    opens: "read",
    valid: (value) => typeof value === "string" && value !== "",
    show: (file) => `trusts ${file}`,
  },
  tlsInsecure: {
    flag: "tls-insecure",
    help: "Accept any certificate: anyone on the network path can read the password and the video",
    valid: isBoolean,
    show: (insecure) => insecure ? "ANY CERTIFICATE" : "",
  },
};

export const SETTING_NAMES = Object.keys(SETTINGS) as (keyof CameraSettings)[];

/** The settings among an object's fields, such as a registered camera's. */
export function settingsOf(from: CameraSettings): CameraSettings {
  return pick((name) => from[name]);
}

/** The settings among parsed options, which are named by their flags. */
export function settingsFromFlags(options: Readonly<Record<string, unknown>>): CameraSettings {
  return pick((name) => options[SETTINGS[name].flag]);
}

function pick(of: (name: keyof CameraSettings) => unknown): CameraSettings {
  return Object.fromEntries(
    SETTING_NAMES.map((name) => [name, of(name)]).filter(([, value]) => value !== undefined),
  );
}

/** What is wrong with settings that another version or another program may have written. */
export function settingFaults(from: Readonly<Record<string, unknown>>): string[] {
  return SETTING_NAMES
    .filter((name) => from[name] !== undefined && !SETTINGS[name].valid(from[name]))
    .map((name) => `its ${name} is not what --${SETTINGS[name].flag} takes`);
}

export function describeSettings(settings: CameraSettings): string[] {
  const show = <K extends keyof Values>(name: K) => {
    const row: SettingRow<Values[K]> = SETTINGS[name];
    const value: Partial<Values>[K] = settings[name];
    return value === undefined ? "" : row.show(value);
  };
  return SETTING_NAMES.map(show).filter((text) => text !== "");
}

export function settingWords(settings: CameraSettings): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const value = settings[name];
    const { flag } = SETTINGS[name];
    if (value === undefined) return [];
    if (typeof value === "boolean") return [`--${value ? "" : "no-"}${flag}`];
    if (typeof value === "object") return [`--${flag}=${value.width}x${value.height}`];
    return [`--${flag}=${typeof value === "number" && name.endsWith("Ms") ? value / 1000 : value}`];
  });
}

function seconds(
  flag: string,
  help: string,
  options: { readonly default: number; readonly show: (ms: number) => string },
): SettingRow<number> {
  return {
    flag,
    value: "SECONDS",
    help: `${help} (default ${options.default / 1000})`,
    parse(text) {
      const value = Number(text);
      if (text.trim() === "" || !(value > 0 && value <= MOST_SECONDS)) {
        throw new Error(`expected seconds above 0, at most ${MOST_SECONDS}`);
      }
      return value * 1000;
    },
    valid: (value) => isNumber(value, 0, MOST_SECONDS * 1000) && value > 0,
    show: options.show,
  };
}

function parseQuality(text: string): number {
  const quality = Number(text);
  if (text.trim() === "" || !isWhole(quality, 100)) {
    throw new Error("expected a whole number from 1 to 100");
  }
  return quality;
}

function isCodec(value: unknown): value is CodecChoice {
  return value === "auto" || value === "copy" || value === "jpeg";
}

function parseCodec(text: string): CodecChoice {
  if (!isCodec(text)) throw new Error("expected auto, copy or jpeg");
  return text;
}

function parseName(text: string): string {
  if (!isName(text)) {
    throw new Error(`expected 1 to ${LONGEST_NAME} characters, none of them a control character`);
  }
  return text;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "" && value.length <= LONGEST_NAME &&
    !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(value);
}

function isNumber(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && value >= least && value <= most;
}

function isWhole(value: unknown, most: number): value is number {
  return isNumber(value, 1, most) && Number.isInteger(value);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

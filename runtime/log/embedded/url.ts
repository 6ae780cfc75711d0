import { repeated, shown } from "../../base/options.ts";
import { LogError } from "../log.ts";

/** `embedded:DIR?retention-bytes=N&retention-ms=N&sync=…`. */
export interface EmbeddedUrl {
  /** Folder of the log, relative to the working directory or absolute. */
  readonly dir: string;
  /** Stored with topics that this log creates or appends to. */
  readonly retention: Partial<Retention>;
  readonly sync: Sync;
}

/**
 * When an append is done. `interval`: it survives the death of the process, and after a second a
 * power failure; `always`: it is on the disk.
 */
export type Sync = "interval" | "always";

/** Limits of each partition of a topic. The oldest frames are removed as soon as one limit is exceeded. */
export interface Retention {
  readonly bytes: number;
  /** Milliseconds since the append, not the capture, since a camera's clock may be wrong. */
  readonly ms: number;
}

/** 1 GiB is about 20 minutes of 640×480 JPEG at 15 frames/s. */
export const defaultRetention: Retention = { bytes: 2 ** 30, ms: 24 * 3_600_000 };

const numbers = { "retention-bytes": "bytes", "retention-ms": "ms" } as const;
const names = [...Object.keys(numbers), "sync"];

/** @throws {LogError} `INVALID`, naming every fault. */
export function parseEmbeddedUrl(url: string): EmbeddedUrl {
  const match = /^embedded:([^?]*)(?:\?(.*))?$/s.exec(url);
  const parameters = new URLSearchParams(match?.[2] ?? "");
  const faults = repeated(parameters, names);
  const dir = match?.[1] ?? "";
  if (dir === "" || dir.includes("\0")) faults.push("expected embedded:DIR");
  const retention: { -readonly [Name in keyof Retention]?: number } = {};
  let sync: Sync = "interval";
  for (const [name, value] of parameters) {
    if (name === "sync") {
      if (value === "always" || value === "interval") sync = value;
      else faults.push(`sync is ${shown(value)}, expected always or interval`);
    } else if (!Object.hasOwn(numbers, name)) {
      faults.push(`unknown parameter ${name}, expected ${names.join(", ")}`);
    } else if (!/^\d+$/.test(value) || Number(value) < 1 || !Number.isSafeInteger(Number(value))) {
      faults.push(`${name} is ${shown(value)}, expected a whole number from 1`);
    } else {
      retention[numbers[name as keyof typeof numbers]] = Number(value);
    }
  }
  if (faults.length > 0) {
    throw new LogError("INVALID", `Cannot open log ${shown(url)}: ${faults.join("; ")}`);
  }
  return { dir, retention, sync };
}

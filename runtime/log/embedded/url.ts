/**
 * The URL of an embedded log.
 *
 * @module
 */
import { LogError } from "../log.ts";

/** What `embedded:DIR?retention-bytes=N&retention-ms=N` says. */
export interface EmbeddedUrl {
  /** As given. */
  readonly url: string;
  /** Folder of the log, relative to the working directory or absolute. */
  readonly dir: string;
  readonly retention: Retention;
}

/** How much of each partition is kept. The oldest frames go as soon as one of the two is exceeded. */
export interface Retention {
  /** Bytes of a partition. */
  readonly bytes: number;
  /** Milliseconds since the append (not since the capture: a camera's clock may be wrong). */
  readonly ms: number;
}

/** 1 GiB is about 20 minutes of 640×480 JPEG at 15 frames/s. */
export const defaultRetention: Retention = { bytes: 2 ** 30, ms: 24 * 3_600_000 };

const parameters = { "retention-bytes": "bytes", "retention-ms": "ms" } as const;

/**
 * Reads the URL.
 *
 * @throws {LogError} `INVALID`, naming every fault.
 */
export function parseEmbeddedUrl(url: string): EmbeddedUrl {
  const match = /^embedded:([^?]*)(?:\?(.*))?$/s.exec(url);
  const faults: string[] = [];
  const dir = match?.[1] ?? "";
  if (dir === "" || dir.includes("\0")) faults.push("expected embedded:DIR");
  const retention = { ...defaultRetention };
  for (const [name, value] of new URLSearchParams(match?.[2] ?? "")) {
    if (!Object.hasOwn(parameters, name)) {
      faults.push(`unknown parameter ${name}, expected ${Object.keys(parameters).join(" or ")}`);
      continue;
    }
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < 1 || !Number.isSafeInteger(number)) {
      faults.push(`${name} is ${JSON.stringify(value)}, expected a whole number from 1`);
      continue;
    }
    retention[parameters[name as keyof typeof parameters]] = number;
  }
  if (faults.length > 0) {
    throw new LogError("INVALID", `Cannot open log ${JSON.stringify(url)}: ${faults.join("; ")}`);
  }
  return { url, dir, retention };
}

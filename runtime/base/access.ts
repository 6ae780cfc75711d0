/**
 * What options, sinks and sources open: files to read or write, hosts to reach. The launcher starts
 * Deno with what a run's own options open, and with nothing else.
 *
 * @module
 */

/**
 * What a value opens:
 * - `folder`: writing and reading below a folder;
 * - `file`: writing and reading one file;
 * - `database`: writing and reading a file of SQLite, and what that keeps beside it;
 * - `file-folder`: writing and reading below the folder that holds a file;
 * - `read`: reading a file or below a folder;
 * - `clips`: reading a folder, or the folder that holds a list of clips;
 * - `beside`: reading below the folder that holds a file;
 * - `query`: reading the files of a query's project;
 * - `log`: `embedded:DIR` or `kafka://…`; `source`, `sink`: see their tables;
 * - `listen`: a port on the address that `--host` names; `metrics`: a port on 127.0.0.1;
 * - `model`: reading a model's folder and writing a manifest there;
 * - `paths-read`, `paths-write`, `hosts`, `libraries`: what the value lists, comma-separated.
 */
export type AccessWord =
  | "folder"
  | "file"
  | "database"
  | "file-folder"
  | "read"
  | "clips"
  | "beside"
  | "query"
  | "log"
  | "source"
  | "sink"
  | "listen"
  | "metrics"
  | "model"
  | "paths-read"
  | "paths-write"
  | "hosts"
  | "libraries";

/** Ports on this machine where a camera's login and certificate are taken care of for FFmpeg. */
export const RELAY_PORTS: readonly number[] = Array.from({ length: 16 }, (_, i) => 39_554 + i);

/** What a sink's or a source's URI opens, by its target and by its options. */
export interface UriAccess {
  /** `file`: the folder of the file is written; `stream`: a host that FFmpeg reaches by itself, or by a relay. */
  readonly target?: "folder" | "file" | "read" | "host" | "device" | "stream";
  /** What options follow; `?` unless given. */
  readonly mark?: string;
  readonly options?: Readonly<Record<string, AccessWord>>;
}

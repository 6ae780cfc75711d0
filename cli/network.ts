/**
 * Which settings need the network.
 *
 * @module
 */

/** Whether a log is on this machine, in a folder: reading and writing it needs no network. */
export function isLocalLog(url: string): boolean {
  return url.startsWith("embedded:");
}

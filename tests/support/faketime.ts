// Clocks of processes that a test turns, by libfaketime.

import { FAKETIME } from "../../tools/debian.ts";

/** Whether the clock of a process can be turned here. */
export function canFakeTime(): boolean {
  try {
    return Deno.statSync(FAKETIME).isFile;
  } catch {
    return false;
  }
}

/** A command that runs another whose wall clock is as far off as this file says at any time, e.g. `-1h`. */
export function withClock(file: string): string[] {
  return [
    ...["env", `LD_PRELOAD=${FAKETIME}`, `FAKETIME_TIMESTAMP_FILE=${file}`],
    ...["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"],
  ];
}

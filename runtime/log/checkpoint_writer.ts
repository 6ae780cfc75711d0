// Who wrote a checkpoint: it is in the state, for people, and for errors about a changed query.
import type { CheckpointWriter } from "./log.ts";

/** Who wrote a state, as a part of its listing; nothing where it does not say. */
export function writtenBy(state: Uint8Array | undefined): { readonly writer?: CheckpointWriter } {
  if (state === undefined) return {};
  try {
    const { writer } = JSON.parse(new TextDecoder().decode(state)) as { writer?: unknown };
    return isWriter(writer) ? { writer } : {};
  } catch {
    return {}; // Not the engine's state: a test's, or another program's.
  }
}

function isWriter(value: unknown): value is CheckpointWriter {
  return typeof value === "object" && value !== null && "version" in value &&
    typeof value.version === "string" && "steps" in value && Array.isArray(value.steps);
}

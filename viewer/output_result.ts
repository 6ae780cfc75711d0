/**
 * What a query found, in the records of its output topic.
 *
 * @module
 */
import type { Frame, Result } from "../runtime/definition/frame.ts";

/** What a query found: beside the picture in a header, unless it is drawn there; or the whole output. */
export function resultOf(
  { value, headers }: Pick<Frame, "value" | "headers">,
  isPicture: boolean,
): Result | undefined {
  const { result, drawn } = headers;
  if (result === undefined) return isPicture ? undefined : parseResult(value);
  return drawn === "results" ? undefined : parseResult(new TextEncoder().encode(result));
}

function parseResult(value: Uint8Array): Result | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(value));
    return typeof parsed === "object" && parsed !== null ? parsed as Result : undefined;
  } catch {
    return undefined; // a foreign record in the output topic: the source's frame is shown
  }
}

// The state of an operator as JSON, which the checkpoint keeps as bytes.
import type { OperatorContext } from "../../runtime/mod.ts";

/** The state that the operator last saved; undefined at its first start. */
export function savedState<State>({ state }: OperatorContext): State | undefined {
  return state === undefined ? undefined : JSON.parse(new TextDecoder().decode(state));
}

export function stateBytes(state: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(state));
}

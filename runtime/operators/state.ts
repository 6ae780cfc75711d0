// The stateful operator: a state per partition, and timers.
import type { Operator } from "../definition/operator.ts";
import { checkJsonState } from "./json_state.ts";

/**
 * By which clock timers go: the machine's, or the capture times of what passes (Spark's `TimeMode`). With
 * `event` a backfill of old footage does what a live run does: a timer comes before the first input that
 * was captured at or after its time, and waits as long as none does.
 */
export type TimeMode = "processing" | "event";

/** Timers of a stateful processor; part of the state. */
export interface Timers {
  /**
   * Calls `handleExpiredTimer` once at `time` (epoch milliseconds) or soon after.
   *
   * @throws {RangeError} when it is no time, or, in `handleExpiredTimer`, none after that of the call.
   */
  register(time: number): void;
  /** Takes a registered time back; nothing happens when there is none. */
  delete(time: number): void;
  /** Registered times, earliest first. */
  list(): readonly number[];
}

/** User code with a state of its own in each partition. */
export interface StateProcessor<State, In, Out> {
  /** Names the state in the checkpoint: keep it, wherever the step stands in the query. */
  readonly name: string;
  /** By which clock timers go; `processing` unless given. */
  readonly timeMode?: TimeMode;
  /** The state before the first input. It must be what JSON gives back as it was. */
  init(): State;
  /** Takes the next input in order; may change `state` in place. */
  handleInput(state: State, input: In, timers: Timers): readonly Out[] | Promise<readonly Out[]>;
  /** Called when a registered time has come, in order with the inputs. */
  handleExpiredTimer?(
    state: State,
    time: number,
    timers: Timers,
  ): readonly Out[] | Promise<readonly Out[]>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An operator with state, made of a processor. */
export function stateOperator<State, In, Out>(
  processor: StateProcessor<State, In, Out>,
): Operator<In, Out> {
  const { name, timeMode = "processing" } = processor ?? {};
  if (timeMode !== "processing" && timeMode !== "event") {
    throw new RangeError(
      `Cannot use timeMode ${JSON.stringify(timeMode)} of ${name}: expected processing or event`,
    );
  }
  if (typeof name !== "string" || name === "") {
    throw new RangeError(
      `Cannot keep the state of a step named ${JSON.stringify(name)}: expected text`,
    );
  }
  for (const method of ["init", "handleInput", "handleExpiredTimer"] as const) {
    if (typeof processor[method] === "function") continue;
    if (method === "handleExpiredTimer" && processor[method] === undefined) continue;
    throw new TypeError(
      `Cannot use ${method} of ${name}: expected a function, given ${String(processor[method])}`,
    );
  }
  return {
    name,
    kind: "state",
    open(context) {
      const restored = context.state === undefined
        ? undefined
        : JSON.parse(decoder.decode(context.state)) as { state: State; timers: number[] };
      const state = restored?.state ?? processor.init();
      let times = restored?.timers ?? [];
      // A handler that sets its own time again would be called without end.
      let handling = -Infinity;
      const timers: Timers = {
        register(time) {
          if (!Number.isFinite(time) || time <= handling) {
            const limit = handling === -Infinity
              ? ""
              : ` after ${handling}, which is being handled`;
            throw new RangeError(
              `Cannot register a timer of ${processor.name} at ${time}: expected epoch milliseconds${limit}`,
            );
          }
          let place = times.length;
          while (place > 0 && times[place - 1]! > time) place--;
          if (times[place - 1] !== time) times.splice(place, 0, time);
        },
        delete(time) {
          times = times.filter((other) => other !== time);
        },
        list: () => [...times],
      };
      const byEvents = timeMode === "event";
      /** Takes the earliest timer that has come off the list, and calls its handler. */
      const expire = (now: number) => {
        const time = times[0];
        if (time === undefined || time > now) return undefined;
        times = times.slice(1);
        handling = time;
        return processor.handleExpiredTimer?.(state, time, timers) ?? [];
      };
      return {
        process(input) {
          handling = -Infinity;
          const time = byEvents ? captureTimeOf(input) : undefined;
          if (time === undefined || times[0] === undefined || times[0] > time) {
            return processor.handleInput(state, input, timers);
          }
          return (async () => {
            const outputs: Out[] = [];
            // One that is registered meanwhile comes with the next input.
            for (const due of times.filter((one) => one <= time)) {
              outputs.push(...await expire(due) ?? []);
            }
            handling = -Infinity;
            return [...outputs, ...await processor.handleInput(state, input, timers)];
          })();
        },
        nextTimer: () => byEvents ? undefined : times[0],
        onTimer: (now) => expire(now) ?? [],
        snapshot() {
          checkJsonState(processor.name, state);
          return encoder.encode(JSON.stringify({ state, timers: times }));
        },
        stateSize: () => ({ items: 1, bytes: (JSON.stringify(state) ?? "").length }),
      };
    },
  };
}

/** Capture time of an item: of a window that of its last frame. */
function captureTimeOf(item: unknown): number | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { timestamp, lastTimestamp = timestamp } = item as {
    timestamp?: unknown;
    lastTimestamp?: unknown;
  };
  return typeof lastTimestamp === "number" ? lastTimestamp : undefined;
}

/**
 * Test kit for queries, operators and sinks.
 *
 * @module
 */
export type * from "./log/log.ts";
export type { Clock } from "./base/clock.ts";
export type { PlanOverrides } from "./definition/plan.ts";
export type { DeadInput } from "./engine/dead_inputs.ts";
export type { StopMode } from "./engine/options.ts";
export { accessOf, type PlanAccess } from "./definition/plan_access.ts";
export { FakeClock, settle } from "./testing/fake_clock.ts";
export { type FailurePoint, MemoryLog } from "./testing/memory_log.ts";
export {
  collect,
  type RunningQuery,
  runQuery,
  type RunQueryOptions,
  startQuery,
} from "./testing/run_query.ts";
export {
  ABORT,
  addFrames,
  addFramesTo,
  advanceClock,
  checkAnswer,
  crash,
  EOF,
  expectFailure,
  expireFrames,
  PAUSE,
  runScript,
  type Script,
  startStream,
  stopStream,
  type StreamAction,
  type StreamCheck,
  type StreamStep,
  testStream,
} from "./testing/stream_actions.ts";

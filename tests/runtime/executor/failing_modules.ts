// Imports modules that fail, in a thread whose turns are watched.
import { SHARED, watchTurns } from "../../../runtime/executor/pulse.ts";

await watchTurns(new Int32Array(SHARED.length), () => {});
const modules = Array.from(
  { length: 64 },
  (_, i) => `data:text/javascript,throw new Error("${i}")`,
);
await Promise.all(modules.map((module) => import(module).catch(() => {})));

import { holdNodes } from "./hung_broker.ts";
import { say } from "../support/trial_report.ts";

const HELD_MS = 8_000;

Deno.test("a node of three that hangs costs no record and doubles none", async () => {
  const held = [Math.floor(Math.random() * 3)];
  say(`node ${held[0]! + 1} is held`);
  await holdNodes({ held, heldMs: HELD_MS, restMs: 1_000 });
});

/**
 * An hour at 16 cameras: memory and handles stay where they were, counters say what the checker says.
 * `FRAMELANE_TEST_SOAK_S` makes it shorter or longer.
 */
import assert from "node:assert/strict";
import { GroupBed } from "../../recovery/group_bed.ts";
import { withLog } from "../../support/log.ts";
import { openHandles, residentMiB } from "../../support/processes.ts";
import { reportRow, say } from "../../support/trial_report.ts";

const SECONDS = Number(Deno.env.get("FRAMELANE_TEST_SOAK_S") ?? 3600);
const CAMERAS = 16;
const SAMPLES = 120;
/** What memory moves by itself, as garbage is collected. */
const NOISE_MIB = 32;
const HANDLES = 8;

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

Deno.test(`soak: ${SECONDS} s at ${CAMERAS} cameras`, async () => {
  await withLog(async (url, log, directory) => {
    const bed = new GroupBed({
      log,
      url,
      source: "VideoStreaming",
      folder: directory,
      partitions: CAMERAS,
      sessionTimeoutMs: 10_000,
      framesPerSecond: 5,
      pictures: false,
    });
    const memory: number[] = [];
    const handles: number[] = [];
    const verdict = await bed.run(async (bed) => {
      const runtime = bed.start();
      await bed.owns(runtime, CAMERAS);
      for (let sample = 0; sample < SAMPLES; sample++) {
        await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000 / SAMPLES));
        memory.push(await residentMiB(runtime.pid));
        handles.push(await openHandles(runtime.pid));
        // Output of a process is kept by the test: an hour of it is not needed.
        if (runtime.lines.length > 10_000) runtime.lines.splice(0, 9000);
        if (sample % 12 === 11) say(`${Math.round(memory.at(-1)!)} MiB, ${handles.at(-1)} handles`);
      }
      await bed.stop(runtime);
      const { frames, outputs, dropped, deadLettered } = runtime.summaries[0]!;
      assert.equal(outputs, frames);
      assert.deepEqual([dropped, deadLettered], [0, 0]);
      const published = bed.published * CAMERAS;
      // Those of the last moment are still to come.
      assert.ok(frames > published * 0.9 && frames <= published, `${frames} of ${published}`);
    });
    const third = SAMPLES / 3;
    const grown = mean(memory.slice(-third)) - mean(memory.slice(third, 2 * third));
    const leaked = mean(handles.slice(-third)) - mean(handles.slice(third, 2 * third));
    reportRow({
      fault: `soak, ${SECONDS} s at ${CAMERAS} cameras: memory ${grown >= 0 ? "+" : ""}${
        Math.round(grown)
      } MiB, handles ${leaked >= 0 ? "+" : ""}${Math.round(leaked)}`,
      repetitions: 1,
      verdict,
    });
    assert.ok(grown <= NOISE_MIB, `memory grew by ${grown} MiB`);
    assert.ok(leaked <= HANDLES, `${leaked} handles more`);
  });
});

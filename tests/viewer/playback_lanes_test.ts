import assert from "node:assert/strict";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import type { Lane, LanePicture } from "../../runtime/lanes.ts";
import type { History } from "../../viewer/history.ts";
import { Playback } from "../../viewer/playback.ts";
import type { TimeView } from "../../viewer/protocol.ts";
import { FakeLanes } from "../support/fake_lanes.ts";
import { until } from "./kit.ts";

const pictureAt = ({ id }: Lane, timestamp: number): LanePicture => ({
  lane: id,
  offset: timestamp,
  timestamp,
  bytes: new Uint8Array(),
  headers: {},
});

Deno.test("a lane that a page adds while its command is carried out shows what the command leads to", async () => {
  for (const action of ["seek", "jump"] as const) {
    const clock = new FakeClock(1_000_000);
    const found = Promise.withResolvers<LanePicture>();
    let reads = 0;
    // Every lane is at its end, and has one more frame a second later.
    const history = {
      moved: () => found.promise,
      atTime: (lane: Lane, time: number) => Promise.resolve(pictureAt(lane, time)),
      picture: (lane: Lane, { timestamp }: LanePicture) =>
        Promise.resolve(pictureAt(lane, timestamp)),
      open: (lane: Lane, offset: number) =>
        Promise.resolve({
          ...{ buffered: 0, position: 0, latest: 0 },
          read: async (_count: number, signal: AbortSignal) => {
            reads++;
            await clock.sleep(1_000, signal);
            return [pictureAt(lane, offset + 1_000)];
          },
          close: () => Promise.resolve(),
        }),
    } as unknown as History;
    const [lead, added] = new FakeLanes({ count: 2 }).lanes() as [Lane, Lane];
    /** Whether there are newer frames elsewhere: then what is played is not live at its end. */
    let newer = true;
    const views: TimeView[] = [];
    const playback = new Playback({
      history,
      clock,
      lanes: () => {
        const newest = newer ? clock.now() : 0;
        return [{ ...lead, lastFrameTimestamp: newest, lastFrameArrival: newest }, added];
      },
      onPicture: () => {},
      onTime: (view) => views.push(view),
      units: () => false,
      sent: () => undefined,
      stuck: () => false,
    });
    playback.watch([lead]);
    playback.command(1, { action: "play", speed: 1, time: 500_000 });
    await until(() => reads === 1);
    playback.command(
      2,
      action === "seek"
        ? { action, lead: lead.id, offset: 600_000 }
        : { action, lead: lead.id, time: 600_000 },
    );
    newer = false;
    playback.watch([lead, added]);
    await until(() => reads === 2);
    newer = true;
    found.resolve(pictureAt(lead, 600_000));
    await until(() => playback.current(added.id)?.timestamp === 600_000);
    const led = action === "seek" ? "paused" : "playing";
    const modes = views.map(({ mode, generation }) => `${mode} ${generation}`);
    assert.deepEqual(modes, ["playing 1", `${led} 2`]);
    await clock.advance(1_500);
    const shown = playback.current(added.id)!.timestamp;
    assert.ok(action === "seek" ? shown === 600_000 : shown >= 600_000, `it shows ${shown}`);
    playback.close();
  }
});

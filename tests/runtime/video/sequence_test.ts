import assert from "node:assert/strict";
import { joinedUnits, NAL_TYPES, nalUnits } from "../../../runtime/video/access_unit.ts";
import { shownAtOnce } from "../../../runtime/video/sequence.ts";
import { accessUnits } from "../../support/access_units.ts";

Deno.test("a keyframe with as long a parameter set as there may be is rewritten in a moment", async () => {
  for (const codec of ["h264", "h265"] as const) {
    const [keyframe] = await accessUnits({ codec, frames: 1, gop: 1 });
    const { sps, type } = NAL_TYPES[codec];
    const tail = new Uint8Array(65_000).fill(0xa5);
    const long = joinedUnits(
      [...nalUnits(keyframe!)].map((nal) =>
        type(nal[0]!) === sps ? Uint8Array.from([...nal, ...tail]) : nal
      ),
      "start-code",
    );
    const begun = performance.now();
    for (let round = 0; round < 20; round++) shownAtOnce(codec, long);
    const each = (performance.now() - begun) / 20;
    assert.ok(each < 40, `${codec}: ${each.toFixed(1)} ms`);
  }
});

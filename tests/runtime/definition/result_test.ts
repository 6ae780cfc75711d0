import assert from "node:assert/strict";
import fc from "fast-check";
import type { Frame, Output, Result } from "../../../runtime/definition/frame.ts";
import { checkOutput, completeResult } from "../../../runtime/definition/result.ts";
import { LanePictures } from "../../../runtime/executor/pictures.ts";
import { alertRecord, findingsRecord } from "../../../runtime/sinks/findings.ts";
import { lineOf } from "../../../runtime/sinks/console.ts";
import { events } from "../../../runtime/sinks/events.ts";
import { images } from "../../../runtime/sinks/images.ts";
// Opens its library here, and not in the first test that writes a picture.
import "../../../runtime/image/turbojpeg.ts";
import { recordOf } from "../../../runtime/sinks/topic.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { finding, frame } from "../sinks/outputs.ts";

const followed = {
  frames: [{
    offset: 7,
    timestamp: 280,
    objects: [{ label: "person", score: 0.65, box: [4, 12, 269, 385], track: 7 }],
  }],
  zones: { door: 2 },
  counts: { entrance: { in: 3, out: 1 } },
  data: { plate: "B-XY 12", speeds: [1.5, null], nested: { deep: true } },
} as const satisfies Result;

/** What the file and topic sinks keep of an output's result, by sink. */
async function kept(output: Output): Promise<Record<string, Result>> {
  const directory = await Deno.makeTempDir();
  const batch = { batchId: 0, start: 0, end: 100 };
  try {
    for (const sink of [events({ file: `${directory}/e` }), images({ directory })]) {
      const task = await sink.open(sinkContext({ committedBatch: -1 }));
      await task.write!([output], batch);
      await task.flush!(batch);
      await task.committed!(batch);
      await task.close!();
    }
    const [, row] = (await Deno.readTextFile(`${directory}/annotations.csv`)).split("\n");
    const { headers, value } = recordOf(output, "test", "out");
    const text = headers["result"] ?? new TextDecoder().decode(value);
    const decoder = new TextDecoder();
    const alert = decoder.decode(alertRecord(output, "test").value);
    const findings = decoder.decode(
      findingsRecord(output, "test")?.value ?? alertRecord(output, "test").value,
    );
    return {
      events: JSON.parse(await Deno.readTextFile(`${directory}/e`)),
      images: JSON.parse(/"(\{.*\})"$/.exec(row!)![1]!.replaceAll('""', '"')),
      topic: JSON.parse(text),
      alert: JSON.parse(alert),
      findings: JSON.parse(findings),
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("what operators add reaches every sink as it is", async () => {
  for (const output of [frame(0, 7), finding(0, 7)]) {
    for (const [sink, result] of Object.entries(await kept({ ...output, result: followed }))) {
      const { zones, counts, data, frames } = result;
      assert.deepEqual({ zones, counts, data }, {
        zones: followed.zones,
        counts: followed.counts,
        data: followed.data,
      }, sink);
      assert.deepEqual(frames, followed.frames, sink);
    }
  }
});

Deno.test("whatever JSON holds survives, whatever its name", () => {
  const named = fc.dictionary(fc.string().filter((name) => name !== "__proto__"), fc.jsonValue());
  fc.assert(fc.property(named, (data) => {
    const result = completeResult({ ...frame(0, 7), result: { data } as Result }, "test");
    assert.equal(JSON.stringify(result.data), JSON.stringify(data));
  }));
});

Deno.test("maps, sets, typed arrays, dates and large numbers become what JSON holds", () => {
  const data = {
    map: new Map([["a", 1n]]),
    set: new Set(["x"]),
    vector: new Float32Array([0.5, NaN]),
    date: new Date(0),
    large: 2n ** 70n,
    absent: undefined,
  };
  const output = { ...frame(0, 7), result: { data } as unknown as Result };
  assert.deepEqual(completeResult(output, "test").data, {
    map: { a: 1 },
    set: ["x"],
    vector: [0.5, null],
    date: "1970-01-01T00:00:00.000Z",
    large: String(2n ** 70n),
  });
  const found = { scores: new Map([["one", 1n]]), zones: { door: 2n } } as unknown as Result;
  assert.match(lineOf({ ...frame(0, 7), result: found }), /one 1\.00 door: 2/);
  assert.ok(findingsRecord({ ...frame(0, 7), result: { scores: found.scores! } }, "test"));
  const wrong = { ...frame(0, 7), result: { data: { f: [() => {}] } } as unknown as Result };
  assert.throws(() => completeResult(wrong, "test"), /Cannot put result.data.f\[0\] .*a function/);
});

Deno.test("what would be lost without a word is refused by its name", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const wrong: readonly (readonly [value: unknown, kind: string])[] = [
    [Promise.resolve(1), "Promise"],
    [new Error("lost"), "Error"],
    [new URL("http://camera/"), "URL"],
    [new ArrayBuffer(4), "ArrayBuffer"],
    [new WeakMap(), "WeakMap"],
    [Object(5), "Number"],
    [[1, 2].values(), "Array Iterator"],
  ];
  const refuses = (x: unknown, message: string | RegExp) => {
    const output = { ...frame(0, 7), result: { data: { x } } as Result };
    assert.throws(() => checkOutput(output), { name: "TypeError", message });
  };
  for (const [x, kind] of wrong) {
    const given = `an object of class ${kind}`;
    refuses(x, `Cannot put result.data.x into a result: expected a JSON value, given ${given}`);
  }
  refuses(
    new Map([[{}, 1]]),
    /the keys of result\.data\.x .*: expected text or numbers, given an ob/,
  );
  refuses(cyclic, /result\.data\.x\.self\.self.*: expected at most 100 levels, given more/);
  const { topic: _, ...nowhere } = frame(0, 7);
  assert.throws(() => checkOutput(nowhere as typeof nowhere & { topic: string }), {
    message: "Cannot pass this output on: topic is undefined, expected text",
  });
  class Lens {
    focus = 35;
  }
  checkOutput({ ...frame(0, 7), result: { data: { x: new Lens() } } as unknown as Result });
});

Deno.test("an operator's typed arrays, missing values and big integers pass, as they are converted", () => {
  const object = { label: "a", score: 1, box: new Float32Array([0, 0, 1, 1]) };
  const result: unknown = {
    scores: { a: undefined },
    zones: new Map([["door", 2n]]),
    frames: [{ offset: 7, timestamp: 0, objects: new Set([object]) }],
  };
  const output = { ...frame(0, 7), result: result as Result };
  checkOutput(output);
  const { scores, zones, frames } = completeResult(output, "test");
  assert.deepEqual([scores, zones, frames![0]!.objects![0]!.box], [{}, { door: 2 }, [0, 0, 1, 1]]);
});

Deno.test("a number that is not finite is null below data, and refused elsewhere", () => {
  const data = { x: -Infinity };
  const object = { label: "a", score: 1, box: [0, 0, 1, 1], data } as const;
  const at = { offset: 7, timestamp: 0 };
  const output = { ...frame(0, 7), result: { data, frames: [{ ...at, data, objects: [object] }] } };
  const result = completeResult(output, "test"), [entry] = result.frames!;
  const places = [result, entry, entry!.objects![0]].map((place) => place!.data);
  assert.deepEqual(places, new Array(3).fill({ x: null }));
  const wrong: Record<string, Result> = {
    "scores.data": { scores: { data: NaN } },
    "zones.door": { zones: { door: NaN } },
    "frames[0].scores.x": { frames: [{ ...at, scores: { x: NaN } }] },
    "frames[0].objects[0].box[1]": {
      frames: [{ ...at, objects: [{ ...object, box: [0, NaN, 1, 1] }] }],
    },
  };
  for (const [place, result] of Object.entries(wrong)) {
    assert.throws(() => completeResult({ ...frame(0, 7), result }, "test"), {
      message: `Cannot put result.${place} into a result: expected a finite number, given NaN`,
    });
  }
});

Deno.test("the viewer gets all findings, without what is drawn on the picture already", () => {
  const sent: (Result | undefined)[] = [];
  const publish = (output: Frame) => {
    const publisher = new LanePictures(
      { query: "q", partition: 0, run: 1 },
      ({ result }) => void sent.push(result),
      new Map([["q-0", "pictures" as const]]),
    );
    publisher.show(output);
    publisher.close();
  };
  const output = { ...frame(0, 7), result: followed };
  publish(output);
  publish({ ...output, headers: { drawn: "results" } });
  const { frames: _, ...rest } = followed;
  assert.deepEqual(sent, [followed, rest]);
});

Deno.test("console: a line says tracks, zones, counts and what operators added", () => {
  assert.match(
    lineOf({ ...frame(0, 7), result: followed }),
    / \[person#7 0\.65\] door: 2 entrance: 3 in, 1 out \{"plate":"B-XY 12",/,
  );
});

Deno.test("console: a key from anywhere stays on its line", () => {
  const [camera] = lineOf({ ...frame(0, 7), key: `\x1b[2J\nDOOR${"x".repeat(1000)}` }).split(
    " #7 ",
  );
  assert.match(camera!, /^\[2JDOORx{90,100}$/);
});

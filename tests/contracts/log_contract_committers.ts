/** Obligations: checkpoints, and the records that go with them. */
import assert from "node:assert/strict";
import {
  batch,
  committerNames,
  type Obligation,
  readAll,
  record,
  rejectsWith,
  take,
  text,
  unique,
  withCommitter,
} from "./log_contract_kit.ts";

export function registerCommitters(obligation: Obligation): void {
  obligation("a first start has no checkpoint", async ({ log }) => {
    const options = committerNames();
    await log.createTopic(options.topic, 1);
    await withCommitter(log, options, (committer) => {
      assert.equal(committer.committed, undefined);
      assert.equal(committer.planned, undefined);
      assert.match(committer.queryId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      return Promise.resolve();
    });
  });

  obligation(
    "a state of any bytes comes back as it was, small or large",
    async ({ log, reopen }) => {
      // Every byte, and what is no UTF-8: lone continuations, overlong forms, surrogates, cut sequences.
      const bytes = [
        ...Array.from({ length: 256 }, (_, byte) => byte),
        ...[
          0x80,
          0xbf,
          0xc0,
          0x80,
          0xe0,
          0x80,
          0xaf,
          0xed,
          0xa0,
          0x80,
          0xf5,
          0xff,
          0xfe,
          0xe2,
          0x82,
        ],
        ...[0, 0x22, 0x5c, 0x0d, 0x0a, 0xef, 0xbb, 0xbf, 0],
      ];
      const small = Uint8Array.from(bytes);
      const large = Uint8Array.from({ length: 9_000 }, (_, at) => bytes[(at * 7) % bytes.length]!);
      for (const state of [small, large, small.subarray(1, 2)]) {
        const options = committerNames();
        await log.createTopic(options.topic, 1);
        await withCommitter(log, options, async (committer) => {
          await committer.plan(batch(0, 0, 4));
          await committer.commit(batch(0, 0, 4), { end: 4, restart: 2, state }, []);
        });
        await withCommitter(await reopen(), options, ({ committed }) => {
          assert.deepEqual(committed, { batchId: 0, end: 4, restart: 2, state: state.slice() });
          return Promise.resolve();
        });
      }
    },
  );

  obligation("a new owner continues where the last one was", async ({ log, reopen }) => {
    const options = committerNames();
    await log.createTopic(options.topic, 1);
    const state = crypto.getRandomValues(new Uint8Array(3_000));
    const queryId = await withCommitter(log, options, async (committer) => {
      await committer.plan(batch(0, 5, 9));
      await committer.commit(batch(0, 5, 9), { end: 9, restart: 9 }, []);
      await committer.plan(batch(1, 9, 20));
      await committer.commit(batch(1, 9, 20), { end: 20, restart: 14, state }, []);
      return committer.queryId;
    });
    await withCommitter(await reopen(), options, async (committer) => {
      assert.deepEqual(committer.committed, { batchId: 1, end: 20, restart: 14, state });
      assert.equal(committer.planned, undefined);
      assert.equal(committer.queryId, queryId);
      await committer.plan(batch(2, 20, 21));
      await committer.commit(batch(2, 20, 21), { end: 21, restart: 21 }, []);
    });
    await withCommitter(log, options, (committer) => {
      assert.deepEqual(committer.committed, { batchId: 2, end: 21, restart: 21 });
      return Promise.resolve();
    });
  });

  obligation("a planned batch survives and is run again as it was", async ({ log, reopen }) => {
    const options = committerNames();
    await log.createTopic(options.topic, 1);
    await withCommitter(log, options, (committer) => committer.plan(batch(0, 0, 7)));
    await withCommitter(await reopen(), options, async (committer) => {
      assert.equal(committer.committed, undefined);
      assert.deepEqual(committer.planned, batch(0, 0, 7));
      await committer.plan(batch(0, 0, 7));
      await committer.commit(batch(0, 0, 7), { end: 7, restart: 7 }, []);
      await committer.plan(batch(1, 7, 8));
    });
    await withCommitter(log, options, (committer) => {
      assert.deepEqual(committer.committed, { batchId: 0, end: 7, restart: 7 });
      assert.deepEqual(committer.planned, batch(1, 7, 8));
      return Promise.resolve();
    });
  });

  obligation("a record that is too large is written as the smaller one that it names", async (
    { log },
    { tooLargeBytes },
  ) => {
    const options = committerNames();
    const output = unique("output");
    await log.createTopic(options.topic, 1);
    const made = (value: string | Uint8Array) => ({
      ...record(value),
      topic: output,
      partition: 0,
    });
    const tooLarge = made(new Uint8Array(tooLargeBytes));
    await withCommitter(log, { ...options, outputTopics: [output] }, async (committer) => {
      await committer.plan(batch(0, 0, 3));
      await committer.commit(batch(0, 0, 3), { end: 3, restart: 3 }, [
        made("before"),
        { ...tooLarge, smaller: () => ({ ...tooLarge, smaller: () => made("smaller") }) },
        made("after"),
      ]);
      await committer.plan(batch(1, 3, 4));
      await committer.commit(batch(1, 3, 4), { end: 4, restart: 4 }, [made("next")]);
    });
    assert.deepEqual((await readAll(log, output, 0)).map(({ value }) => text(value)), [
      "before",
      "smaller",
      "after",
      "next",
    ]);
    await withCommitter(log, { ...options, outputTopics: [output] }, async (committer) => {
      await committer.plan(batch(2, 4, 5));
      await rejectsWith(
        "TOO_LARGE",
        () => committer.commit(batch(2, 4, 5), { end: 5, restart: 5 }, [tooLarge]),
      );
    });
  });

  obligation("a record that is too large may be replaced by one for another topic", async (
    { log },
    { tooLargeBytes },
  ) => {
    const options = committerNames();
    const [output, instead] = [unique("output"), unique("instead")];
    await log.createTopic(options.topic, 2);
    const made = (value: string, partition = 0) => ({ ...record(value), topic: output, partition });
    const replaced = (value: string, partition = 0) => ({
      ...made("", partition),
      value: new Uint8Array(tooLargeBytes),
      smaller: () => ({ ...made(value, partition), topic: instead }),
    });
    await withCommitter(log, { ...options, outputTopics: [output] }, async (committer) => {
      await committer.plan(batch(0, 0, 6));
      await committer.commit(batch(0, 0, 6), { end: 6, restart: 6 }, [
        replaced("x"),
        ...[made("a"), made("b"), replaced("y"), made("c"), replaced("z", 1), made("d", 1)],
      ]);
      await committer.plan(batch(1, 6, 7));
      await committer.commit(batch(1, 6, 7), { end: 7, restart: 7 }, [made("e"), replaced("w")]);
      await committer.plan(batch(2, 7, 8));
      await committer.commit(batch(2, 7, 8), { end: 8, restart: 8 }, [made("f")]);
      assert.deepEqual(committer.committed, { batchId: 2, end: 8, restart: 8 });
    });
    const read = async (topic: string, partition: number) =>
      (await readAll(log, topic, partition)).map(({ value }) => text(value)).join("");
    assert.deepEqual(
      [
        await read(output, 0),
        await read(output, 1),
        await read(instead, 0),
        await read(instead, 1),
      ],
      ["abcef", "d", "xyw", "z"],
    );
  });

  obligation("a plan that is not required still frames its commit", async ({ log, reopen }) => {
    const options = committerNames();
    await log.createTopic(options.topic, 1);
    await withCommitter(log, options, async (committer) => {
      await committer.plan(batch(0, 0, 3), false);
      await rejectsWith("CHECKPOINT_GAP", () => committer.plan(batch(2, 3, 4), false));
    });
    await withCommitter(log, options, async (committer) => {
      const { planned } = committer;
      assert.ok(planned === undefined || planned.end === 3);
      await committer.plan(planned ?? batch(0, 0, 4), false);
      const end = planned?.end ?? 4;
      await committer.commit(planned ?? batch(0, 0, 4), { end, restart: end }, []);
      await committer.plan(batch(1, end, 9), true);
    });
    await withCommitter(await reopen(), options, (committer) => {
      assert.equal(committer.committed?.batchId, 0);
      assert.deepEqual(committer.planned, batch(1, committer.committed!.end, 9));
      return Promise.resolve();
    });
  });

  obligation("first offsets are kept, and a plan of the first batch takes their place", async (
    { log, reopen },
  ) => {
    const options = committerNames();
    await log.createTopic(options.topic, 1);
    await withCommitter(log, options, (committer) => committer.plan(batch(0, 4, 4)));
    await withCommitter(await reopen(), options, async (committer) => {
      assert.equal(committer.committed, undefined);
      assert.deepEqual(committer.planned, batch(0, 4, 4));
      await committer.plan(batch(0, 4, 6));
    });
    await withCommitter(log, options, async (committer) => {
      assert.deepEqual(committer.planned, batch(0, 4, 6));
      await rejectsWith("CHECKPOINT_GAP", () => committer.plan(batch(0, 4, 7)));
      await committer.commit(batch(0, 4, 6), { end: 6, restart: 6 }, []);
      await committer.plan(batch(1, 6, 6));
      await rejectsWith("CHECKPOINT_GAP", () => committer.plan(batch(1, 6, 7)));
    });
  });

  obligation("gaps in the batches are refused", async ({ log }) => {
    const options = committerNames();
    await log.createTopic(options.topic, 1);
    await withCommitter(log, options, async (committer) => {
      await rejectsWith("CHECKPOINT_GAP", () => committer.plan(batch(1, 0, 1)));
      await rejectsWith(
        "CHECKPOINT_GAP",
        () => committer.commit(batch(0, 0, 1), { end: 1, restart: 1 }, []),
      );
      await committer.plan(batch(0, 0, 1));
      await rejectsWith("CHECKPOINT_GAP", () => committer.plan(batch(1, 1, 2)));
      await rejectsWith(
        "CHECKPOINT_GAP",
        () => committer.commit(batch(1, 1, 2), { end: 2, restart: 2 }, []),
      );
      await committer.commit(batch(0, 0, 1), { end: 1, restart: 1 }, []);
      await rejectsWith("CHECKPOINT_GAP", () => committer.plan(batch(0, 0, 1)));
      await rejectsWith("CHECKPOINT_GAP", () => committer.plan(batch(2, 1, 2)));
      await committer.plan(batch(1, 1, 2));
      await rejectsWith("CHECKPOINT_GAP", () => committer.plan(batch(1, 1, 3)));
      await committer.commit(batch(1, 1, 2), { end: 2, restart: 2 }, []);
    });
    await withCommitter(log, options, (committer) => {
      assert.deepEqual(committer.committed, { batchId: 1, end: 2, restart: 2 });
      return Promise.resolve();
    });
  });

  obligation("output topics are created like the source", async ({ log }) => {
    const [options, out] = [committerNames(), unique("out")];
    await log.createTopic(options.topic, 3);
    await withCommitter(log, { ...options, outputTopics: [out] }, async () => {
      assert.equal(await log.partitionCount(out), 3);
    });
    await log.createTopic(options.topic, 4);
    await withCommitter(log, { ...options, outputTopics: [out] }, async () => {
      assert.equal(await log.partitionCount(out), 4);
    });
  });

  obligation("a batch's records become visible with its commit", async ({ log, reopen }) => {
    const [options, out, dead] = [committerNames(), unique("out"), unique("dead")];
    await log.createTopic(options.topic, 2);
    const other = await reopen();
    await withCommitter(log, { ...options, outputTopics: [out, dead] }, async (committer) => {
      const reader = await (await other.reader()).open(out, 1, 0);
      let next = 0;
      for (let id = 0; id < 4; id++) {
        await committer.plan(batch(id, id, id + 1));
        assert.equal(
          (await other.offsets(dead, 0)).latest,
          next,
          "Nothing is visible before the commit",
        );
        await committer.commit(batch(id, id, id + 1), { end: id + 1, restart: id + 1 }, [
          { topic: out, partition: 1, ...record(`${id}a`, { headers: { query: "greyscale" } }) },
          { topic: dead, partition: 0, ...record(`${id}dead`) },
          { topic: out, partition: 1, ...record(`${id}b`, { key: null }) },
        ]);
        const frames = await take(reader, 2);
        assert.deepEqual(frames.map((f) => text(f.value)), [`${id}a`, `${id}b`]);
        assert.deepEqual({ ...frames[0]!.headers }, { query: "greyscale" });
        assert.equal(frames[1]!.key, null);
        next = (await other.offsets(dead, 0)).latest;
        assert.ok(next > id);
      }
    });
    assert.deepEqual((await readAll(log, dead, 0)).map((f) => text(f.value)), [
      "0dead",
      "1dead",
      "2dead",
      "3dead",
    ]);
  });

  obligation(
    "a record that cannot be written leaves the whole batch out",
    async ({ log }, contract) => {
      const [options, out] = [committerNames(), unique("out")];
      await log.createTopic(options.topic, 1);
      await withCommitter(log, { ...options, outputTopics: [out] }, async (committer) => {
        const output = { topic: out, partition: 0, ...record("fine") };
        await committer.plan(batch(0, 0, 1));
        await rejectsWith(
          "TOO_LARGE",
          () =>
            committer.commit(batch(0, 0, 1), { end: 1, restart: 1 }, [
              output,
              { ...output, value: new Uint8Array(contract.tooLargeBytes) },
            ]),
        );
      });
      assert.deepEqual(await readAll(log, out, 0), []);
      await withCommitter(log, { ...options, outputTopics: [out] }, async (committer) => {
        assert.equal(committer.committed, undefined);
        assert.deepEqual(committer.planned, batch(0, 0, 1));
        const output = { topic: out, partition: 0, ...record("second try") };
        await committer.plan(batch(0, 0, 1));
        await committer.commit(batch(0, 0, 1), { end: 1, restart: 1 }, [output]);
      });
      assert.deepEqual(
        (await readAll(log, out, 0)).map((f) => text(f.value)),
        ["second try"],
      );
    },
  );
}

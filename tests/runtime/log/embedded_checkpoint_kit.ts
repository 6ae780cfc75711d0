/** Checkpoints for the tests of the embedded log. */
import { EmbeddedLog, type EmbeddedLogOptions } from "../../../runtime/log/embedded/log.ts";
import { type BatchCommitter } from "../../../runtime/log/log.ts";
import { record } from "../../contracts/log_contract_kit.ts";

export const options = { group: "g", query: "q", topic: "t", partition: 0, outputTopics: ["out"] };
export const batch = (batchId: number) => ({ batchId, start: batchId, end: batchId + 1 });
export const done = (batchId: number) => ({ end: batchId + 1, restart: batchId + 1 });
export const output = (value: string) => ({ topic: "out", partition: 0, ...record(value) });

export async function withLog<T>(
  dir: string,
  test: (log: EmbeddedLog) => Promise<T>,
  options?: EmbeddedLogOptions,
): Promise<T> {
  const log = new EmbeddedLog(`embedded:${dir}`, options);
  try {
    await log.createTopic("t", 2);
    return await test(log);
  } finally {
    await log.close();
  }
}

export async function run(committer: BatchCommitter, batchId: number, outputs: string[] = []) {
  await committer.plan(batch(batchId));
  await committer.commit(batch(batchId), done(batchId), outputs.map(output));
}

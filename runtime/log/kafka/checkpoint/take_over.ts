// Takes a checkpoint over: its output topics are made, its former owner is fenced, then it is read.
import type { CommitterOptions } from "../../log.ts";
import type { OffsetCommits } from "../group/offset_commits.ts";
import type { Cluster } from "../net/cluster.ts";
import type { Epochs } from "../read/epochs.ts";
import { countPartitions, ensureTopic } from "../read/topics.ts";
import { placeOf, type Stored } from "./metadata.ts";
import { checkUnowned } from "./owner.ts";
import { readStored } from "./reader.ts";
import { Transactions } from "./transaction.ts";
import { transactionalId } from "./transactional_id.ts";

/** Connections that the committers of a log share: a broker answers the requests of each one in turn. */
const LANES = 4;

/** What the committers of a log have in common. */
export interface CommitterContext {
  readonly cluster: Cluster;
  readonly epochs: Epochs;
  readonly offsetCommits: OffsetCommits;
}

/**
 * @throws {LogError} `OWNED` when the options ask for a checkpoint that no runtime owns and one does; what
 * the broker refuses.
 */
export async function takeOver(
  { cluster, epochs }: CommitterContext,
  options: CommitterOptions,
): Promise<{ readonly transactions: Transactions; readonly stored: Stored | undefined }> {
  const { partition } = options;
  const action = `Cannot open the checkpoint of ${placeOf(options)}`;
  const lane = `commit-${partition % LANES}`;
  cluster.throwIfClosed(action);
  if (options.unowned === true) await checkUnowned(cluster, action, options);
  const transactions = new Transactions(cluster, transactionalId(options), lane);
  // The former owner is fenced before its last words are read.
  await Promise.all([
    createOutputs(cluster, action, options),
    transactions.begin(action),
  ]);
  return { transactions, stored: await readStored(cluster, epochs, action, options) };
}

async function createOutputs(
  cluster: Cluster,
  action: string,
  { topic, partition, outputTopics = [] }: CommitterOptions,
): Promise<void> {
  if (outputTopics.length === 0) return;
  const count = await countPartitions(cluster, topic);
  if (count <= partition) {
    // Says which of both is missing.
    await cluster.attempt(action, (signal) => cluster.leader(topic, partition, signal));
  }
  await Promise.all(outputTopics.map((output) => ensureTopic(cluster, output, count)));
}

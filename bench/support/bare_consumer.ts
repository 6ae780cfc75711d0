// Worker: the Kafka client's own consumer and nothing else. Joins a group with the other workers,
// counts what it reads.
/// <reference lib="deno.worker" />
import { Consumer, MessagesStreamModes } from "@platformatic/kafka";

/** The worker's task. */
export interface BareRequest {
  readonly broker: string;
  readonly topic: string;
  readonly group: string;
}

/** What it reports every few milliseconds: messages so far, and when the first and the newest came. Epoch milliseconds. */
export interface BareReport {
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

const REPORT_EVERY_MS = 20;
const now = () => performance.timeOrigin + performance.now();

self.onmessage = async ({ data }: MessageEvent<BareRequest>) => {
  const consumer = new Consumer({
    clientId: "bench",
    groupId: data.group,
    bootstrapBrokers: [data.broker],
  });
  const stream = await consumer.consume({
    topics: [data.topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 500,
    highWaterMark: 1024,
  });
  let count = 0;
  let first = 0;
  let last = 0;
  setInterval(() => {
    if (count > 0) self.postMessage({ count, first, last } satisfies BareReport);
  }, REPORT_EVERY_MS);
  for await (const { value } of stream) {
    if (value.length === 0) continue;
    last = now();
    if (count++ === 0) first = last;
  }
};

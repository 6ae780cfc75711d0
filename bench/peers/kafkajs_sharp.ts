// The stack that most would write in TypeScript: KafkaJS and sharp, one consumer.
import { Kafka, logLevel } from "kafkajs";
import sharp from "sharp";
import { print } from "../print.ts";

const [broker, topic, , frames, mode] = Deno.args as [string, string, string, string, string?];
const started = Number(Deno.env.get("PEER_STARTED") ?? Date.now() / 1000);
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({
  groupId: `peer-kafkajs-${crypto.randomUUID()}`,
  maxBytesPerPartition: 16 * 1024 * 1024,
  maxWaitTimeInMs: 100,
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
let count = 0, first = 0, before = 0;
const latencies: number[] = [];
const done = Promise.withResolvers<void>();
consumer.on(
  consumer.events.GROUP_JOIN,
  () => Deno.stderr.writeSync(new TextEncoder().encode("ready\n")),
);
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 3,
  async eachMessage({ message }) {
    await sharp(message.value!).greyscale().jpeg({ quality: 80 }).toBuffer();
    count++;
    const now = Date.now();
    if (first === 0) [first, before] = [now, count];
    if (mode === "live") latencies.push(now - Number(message.timestamp));
    if (count === Number(frames)) done.resolve();
  },
});
await done.promise;
const last = Date.now();
print(JSON.stringify({
  frames: count,
  steadyFrames: count - before,
  steadySeconds: (last - first) / 1000,
  firstFrameSeconds: first / 1000 - started,
  totalSeconds: last / 1000 - started,
  latencies,
}));
Deno.exit(0);

/**
 * How large batches are as the broker gets them.
 *
 * @module
 */
import { encodeBatch } from "../../runtime/log/kafka/records/encoder.ts";
import type { LogProducer, LogRecord } from "../../runtime/log/log.ts";
import type { Setting } from "./settings.ts";

/** Frames whose batches are looked at; the pictures come again after so many. */
const SAMPLE_FRAMES = 132;

/** Passes batches on and keeps the first ones, to encode them once more. */
export class WireMeter implements LogProducer {
  readonly #producer: LogProducer;
  readonly #setting: Setting;
  readonly #sample: (readonly LogRecord[])[] = [];
  #sampled = 0;

  constructor(producer: LogProducer, setting: Setting) {
    this.#producer = producer;
    this.#setting = setting;
  }

  append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number> {
    if (partition === 0 && this.#sampled < SAMPLE_FRAMES) {
      this.#sample.push(records);
      this.#sampled += records.length;
    }
    return this.#producer.append(topic, partition, records);
  }

  /** What a batch takes, of what its pictures take. */
  share(): number {
    const { compression } = this.#setting;
    let wire = 0;
    let pictures = 0;
    for (const records of this.#sample) {
      wire += encodeBatch(records, { compression }).length;
      for (const { value } of records) pictures += value.length;
    }
    return wire / pictures;
  }

  close(): Promise<void> {
    return this.#producer.close();
  }
}

import { checkBuffers, checkWhole } from "../checks.ts";
import {
  LogError,
  type LogReader,
  type PartitionReader,
  type ReaderOptions,
  type ReadProblem,
} from "../log.ts";
import type { OpenLog } from "./open_log.ts";
import { EmbeddedPartitionReader } from "./partition_reader.ts";

/** Opens partition readers, each with its own buffer. */
export class EmbeddedReader implements LogReader {
  readonly #find: (topic: string, partition: number) => Promise<OpenLog>;
  readonly #checkLog: () => void;
  readonly #maxFrames: number;
  readonly #maxBytes: number;
  readonly #open = new Set<EmbeddedPartitionReader>();
  #closed = false;

  /**
   * @param find the open log; throws if it has no such partition
   * @param checkLog throws if the log is closed or being closed
   */
  constructor(
    find: (topic: string, partition: number) => Promise<OpenLog>,
    checkLog: () => void,
    { maxBufferedFrames = 64, maxBufferedBytes = 4 << 20 }: ReaderOptions,
  ) {
    checkBuffers({ maxBufferedFrames, maxBufferedBytes });
    this.#find = find;
    this.#checkLog = checkLog;
    this.#maxFrames = maxBufferedFrames;
    this.#maxBytes = maxBufferedBytes;
  }

  async open(
    topic: string,
    partition: number,
    offset: number,
    onProblem?: (problem?: ReadProblem) => void,
  ): Promise<PartitionReader> {
    this.#checkOpen();
    checkWhole(`Cannot read ${topic}/${partition} from offset ${offset}`, offset, 0);
    const parts = await this.#find(topic, partition);
    const { db, topics, opened } = parts;
    const { id, range } = await db.read(`read ${topic}/${partition}`, () => {
      const id = topics.id(topic, partition);
      return { id, range: topics.range(id) };
    });
    this.#checkOpen();
    const reader: EmbeddedPartitionReader = new EmbeddedPartitionReader(
      parts,
      {
        ...{ id, topic, partition, offset, range, onProblem },
        ...{ maxFrames: this.#maxFrames, maxBytes: this.#maxBytes },
      },
      () => {
        this.#open.delete(reader);
        opened.delete(reader);
      },
    );
    this.#open.add(reader);
    opened.add(reader);
    return reader;
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#open) reader.close();
    return Promise.resolve();
  }

  #checkOpen(): void {
    this.#checkLog();
    if (this.#closed) throw new LogError("CLOSED", "Cannot open a partition: the reader is closed");
  }
}

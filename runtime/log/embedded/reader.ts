import { LogError, type LogReader, type PartitionReader, type ReaderOptions } from "../log.ts";
import { checkOffset, EmbeddedPartitionReader, type ReaderParts } from "./partition_reader.ts";

/** Opens partition readers, each with its own buffer. */
export class EmbeddedReader implements LogReader {
  readonly #parts: ReaderParts;
  readonly #maxFrames: number;
  readonly #maxBytes: number;
  readonly #open = new Set<EmbeddedPartitionReader>();
  readonly #onClose: () => void;
  #closed = false;

  constructor(
    parts: ReaderParts,
    { maxBufferedFrames = 64, maxBufferedBytes = 4 << 20 }: ReaderOptions,
    onClose: () => void,
  ) {
    for (const [name, value] of Object.entries({ maxBufferedFrames, maxBufferedBytes })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new LogError(
          "INVALID",
          `Cannot read with ${name} ${value}: expected a whole number from 1`,
        );
      }
    }
    this.#parts = parts;
    this.#onClose = onClose;
    this.#maxFrames = maxBufferedFrames;
    this.#maxBytes = maxBufferedBytes;
  }

  async open(topic: string, partition: number, offset: number): Promise<PartitionReader> {
    this.#checkOpen();
    checkOffset(offset);
    const { db, topics } = this.#parts;
    const { id, range } = await db.read(`read ${topic}/${partition}`, () => {
      const id = topics.id(topic, partition);
      return { id, range: topics.range(id) };
    });
    this.#checkOpen();
    const reader: EmbeddedPartitionReader = new EmbeddedPartitionReader(
      this.#parts,
      { id, topic, partition, offset, range, maxFrames: this.#maxFrames, maxBytes: this.#maxBytes },
      () => this.#open.delete(reader),
    );
    this.#open.add(reader);
    return reader;
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#open) reader.close();
    this.#onClose();
    return Promise.resolve();
  }

  #checkOpen(): void {
    if (this.#closed) throw new LogError("CLOSED", "Cannot open a partition: the reader is closed");
  }
}

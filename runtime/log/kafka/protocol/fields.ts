// Typed fields of requests and responses, with the versions that contain them. One table writes, reads
// and types all versions of a message.
import type { RequestWriter, ResponseReader } from "./wire.ts";

export interface Encoding {
  readonly version: number;
  /** Compact, with tagged fields. */
  readonly flexible: boolean;
}

export interface Field<T> {
  write(to: RequestWriter, value: T, as: Encoding): void;
  read(from: ResponseReader, as: Encoding): T;
}

export type Value<F> = F extends Field<infer T> ? T : never;

/** A field whose encoding does not depend on the version. */
function plain<T>(
  write: (to: RequestWriter, value: T, compact: boolean) => unknown,
  read: (from: ResponseReader, compact: boolean) => T,
): Field<T> {
  return {
    write: (to, value, { flexible }) => void write(to, value, flexible),
    read: (from, { flexible }) => read(from, flexible),
  };
}

export const int8 = plain((to, value: number) => to.int8(value), (from) => from.int8());
export const int16 = plain((to, value: number) => to.int16(value), (from) => from.int16());
export const int32 = plain((to, value: number) => to.int32(value), (from) => from.int32());
/** A safe integer. */
export const int64 = plain((to, value: number) => to.int64(value), (from) => from.int64());
/** All 64 bits. */
export const bigint64 = plain((to, value: bigint) => to.int64(value), (from) => from.bigint64());
export const boolean = plain((to, value: boolean) => to.boolean(value), (from) => from.boolean());
export const string = plain(
  (to, value: string, compact) => to.string(value, compact),
  (from, compact) => from.string(compact),
);
export const nullableString = plain(
  (to, value: string | null, compact) => to.string(value, compact),
  (from, compact) => from.nullableString(compact),
);
export const bytes = plain(
  (to, value: Uint8Array, compact) => to.bytes(value, compact),
  (from, compact): Uint8Array => from.bytes(compact),
);
/** 32 hexadecimal digits. */
export const uuid = plain((to, value: string) => to.uuid(value), (from) => from.uuid());

export function nullableArray<T>(item: Field<T>): Field<readonly T[] | null> {
  return {
    write(to, values, as) {
      to.count(values === null ? null : values.length, as.flexible);
      for (const value of values ?? []) item.write(to, value, as);
    },
    read: (from, as) => from.list(() => item.read(from, as), as.flexible),
  };
}

export function array<T>(item: Field<T>): Field<readonly T[]> {
  const { write, read } = nullableArray(item);
  return { write, read: (from, as) => read(from, as) ?? [] };
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Struct<F extends Fields> = { readonly [Name in keyof F]: Value<F[Name]> };

/** Fields in order, then tagged fields. */
export function struct<F extends Fields>(fields: F): Field<Struct<F>> {
  const entries: [keyof F, Field<unknown>][] = Object.entries(fields);
  return {
    write(to, value, as) {
      for (const [name, field] of entries) field.write(to, value[name], as);
      if (as.flexible) to.noTags();
    },
    read(from, as) {
      const read: Partial<Record<keyof F, unknown>> = {};
      for (const [name, field] of entries) read[name] = field.read(from, as);
      if (as.flexible) from.tags();
      return read as Struct<F>;
    },
  };
}

/** Partitions of topics, each with these fields. */
export function partitions<F extends Fields>(of: F) {
  const fields = { partition: int32, ...of };
  return array(struct({ name: string, partitions: array(struct(fields)) }));
}
/** Numbers of partitions. */
export const places = array(struct({ name: string, partitions: array(int32) }));
export const partitionErrors = partitions({ errorCode: int16 });
/** The first fields of most responses. */
export const head = { throttleTimeMs: int32, errorCode: int16 };
export const outcome = struct(head);

/** A field since a version; older ones read `absent`. */
export function since<T>(version: number, field: Field<T>, absent: T): Field<T> {
  return between(version, Infinity, field, absent);
}

/** A field of some versions; the others read `absent`. */
export function between<T>(first: number, last: number, field: Field<T>, absent: T): Field<T> {
  const there = ({ version }: Encoding) => version >= first && version <= last;
  return {
    write: (to, value, as) => void (there(as) && field.write(to, value, as)),
    read: (from, as) => there(as) ? field.read(from, as) : absent,
  };
}

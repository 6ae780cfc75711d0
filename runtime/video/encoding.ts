// From the images that a query puts out to the pictures of a video.
//
// This module imports nothing: the codecs are loaded when there is something to encode.

/** One encoded picture, as the container wants it. */
export interface EncodedPicture {
  readonly data: Uint8Array;
  readonly key: boolean;
}

/** An image, ready to be encoded. */
export interface Prepared {
  readonly width: number;
  readonly height: number;
  /**
   * Of an access unit: whether it continues with the group of the one before; false begins a group. Absent
   * where the recorder decides how long groups are.
   */
  readonly joins?: boolean;
  release(): void;
}

/**
 * An encoder of pictures in groups: what comes out depends on the pictures since the group began.
 * One lane has one. Images may be prepared while another one is encoded.
 */
export interface Encoding<P extends Prepared = Prepared> extends Disposable {
  /** @throws `BadFrameError` when the image cannot be used. */
  prepare(image: Uint8Array): Promise<P>;
  /** Begins a group with pictures of this size; returns the decoder's configuration as base64. */
  begin(picture: P): Promise<string>;
  encode(picture: P): Promise<EncodedPicture>;
}

// The kinds of video that cameras, phones and recorders write: one row each, made by `ffmpeg`. With the
// tests that cover streams and images they are the table in `docs/cameras.md`.

/** A kind of video file, and how `ffmpeg` makes one. */
export interface VideoKind {
  readonly file: string;
  /** Arguments of `ffmpeg` between the test picture and the file. */
  readonly encode: string;
  readonly size?: string;
  /** Seconds; 0.4 unless given. */
  readonly duration?: number;
  /** Made of the file by copying its streams with these arguments, into `copy.EXT`. */
  readonly remux?: string;
  /** `ffmpeg` decodes with these filters, so that it does what the camera declares. */
  readonly filters?: string;
  /** Least likeness, decibels; `LEAST_DECIBELS` unless given. */
  readonly least?: number;
}

/** Samples are equal, or rounded otherwise here and there. */
export const LEAST_DECIBELS = 60;
/** Two versions of FFmpeg's scaler widen the colours of deep frames in two ways. */
const DEEP = 30;
/** Two versions of `zscale` approximate a curve in two ways. */
const CURVED = 50;
const INTERLACED = "yadif=mode=send_frame:deint=interlaced";
const WIDE = "zscale=matrix=gbr:primaries=bt709:transfer=bt709:range=full,format=gbrp";
const TONE_MAPPED =
  "zscale=matrix=gbr:primaries=bt709:transfer=linear:npl=203:range=full,format=gbrpf32le," +
  "tonemap=mobius:desat=0:peak=4.926108,zscale=transfer=bt709,format=gbrp";
const X264 = "-c:v libx264 -preset ultrafast -g 5";
const X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=0";
const FIELDS = "-flags +ilme+ildct";

export const VIDEO_KINDS: Readonly<Record<string, VideoKind>> = {
  "H.264 in MP4": { file: "a.mp4", encode: X264 },
  "H.264 of a width that is not a multiple of 8": { file: "w.mp4", size: "86x50", encode: X264 },
  "H.264 4:2:2 of a width that is not a multiple of 8": {
    file: "w2.mp4",
    size: "70x50",
    encode: `${X264} -pix_fmt yuv422p`,
  },
  "FFV1 of one pixel": { file: "1.mkv", encode: "-vf scale=1:1 -c:v ffv1 -pix_fmt yuv444p" },
  "H.264 with B-frames in Matroska": { file: "a.mkv", encode: `${X264} -bf 2` },
  "H.264 as bare units": { file: "a.h264", encode: X264 },
  "H.264 in fragmented MP4": {
    file: "f.mp4",
    encode: `${X264} -movflags frag_keyframe+empty_moov`,
  },
  "H.264 with B-frames and an edit list in MOV": { file: "e.mov", encode: `${X264} -bf 3` },
  "H.264 cut by an edit list": {
    file: "e.mp4",
    encode: X264,
    duration: 0.8,
    remux: "-ss 0.3 -c copy",
  },
  "H.264 in FLV": { file: "f.flv", encode: X264 },
  "H.264 in AVI": { file: "a.avi", encode: X264 },
  "H.264 of a variable rate": {
    file: "v.mp4",
    encode: `${X264} -vf select=not(eq(n\\,3)) -vsync vfr`,
  },
  "H.264 1080i in TS": {
    file: "i.ts",
    size: "1920x1080",
    duration: 0.12,
    encode: `${X264} ${FIELDS} -x264opts tff=1`,
    filters: INTERLACED,
  },
  "H.264 interlaced, lower field first": {
    file: "b.ts",
    encode: `${X264} ${FIELDS} -x264opts bff=1`,
    filters: INTERLACED,
  },
  "MPEG-2 576i, anamorphic, in PS (DVD)": {
    file: "d.vob",
    size: "720x576",
    duration: 0.2,
    encode: `-c:v mpeg2video -q:v 3 -aspect 16:9 ${FIELDS} -top 1 -f vob`,
    filters: INTERLACED,
  },
  "MPEG-2 interlaced in TS": {
    file: "m.ts",
    encode: `-c:v mpeg2video -q:v 3 ${FIELDS} -top 1`,
    filters: INTERLACED,
  },
  "MPEG-2 interlaced, with the reserved matrix": {
    file: "m3.ts",
    encode: `-c:v mpeg2video -q:v 3 ${FIELDS} -top 1`,
    remux: "-c copy -bsf:v mpeg2_metadata=matrix_coefficients=3",
    filters: `setparams=colorspace=bt470bg,${INTERLACED}`,
  },
  "H.264 of 10 bits": { file: "t.mp4", encode: `${X264} -pix_fmt yuv420p10le`, least: DEEP },
  "H.264 4:2:2": { file: "2.mp4", encode: `${X264} -pix_fmt yuv422p` },
  "H.264 4:2:2 of 10 bits": {
    file: "2t.mp4",
    encode: `${X264} -pix_fmt yuv422p10le`,
    least: DEEP,
  },
  "H.264 4:4:4 of odd size": { file: "o.mp4", size: "161x121", encode: `${X264} -pix_fmt yuv444p` },
  "H.264 without colours": { file: "g.mp4", encode: `${X264} -pix_fmt gray` },
  "H.264 of RGB": { file: "rgb.mp4", encode: "-c:v libx264rgb -preset ultrafast" },
  "H.264 of full range": { file: "r.mp4", encode: `${X264} -color_range pc -pix_fmt yuvj420p` },
  "H.264, BT.709": { file: "7.mp4", encode: `${X264} -colorspace bt709` },
  "H.264, anamorphic": { file: "s.mp4", encode: `${X264} -vf setsar=4/3` },
  "H.264, turned 90° by its metadata": {
    file: "90.mp4",
    encode: X264,
    remux: "-c copy -metadata:s:v rotate=90",
  },
  "H.264, turned 180° by its metadata": {
    file: "180.mov",
    encode: X264,
    remux: "-c copy -metadata:s:v rotate=180",
  },
  "matrix SMPTE 240M": { file: "240.mp4", encode: `${X264} -colorspace smpte240m` },
  "matrix FCC": { file: "fcc.mp4", encode: `${X264} -colorspace fcc` },
  "matrix YCgCo": {
    file: "y.mp4",
    encode: `${X264} -colorspace ycgco`,
    filters: "zscale=matrix=gbr:range=full,format=gbrp",
  },
  "matrix ICtCp": {
    file: "ictcp.mp4",
    encode: `${X264} -x264-params colormatrix=ICtCp`,
    filters: `setparams=color_primaries=bt2020:color_trc=smpte2084,${TONE_MAPPED}`,
  },
  "matrix BT.2020, constant luminance": {
    file: "cl.mp4",
    encode: `${X264} -color_primaries bt2020 -color_trc bt2020-10 -colorspace bt2020c`,
    filters: WIDE,
  },
  "transfer log100": { file: "l100.mp4", encode: `${X264} -color_trc log100` },
  "BT.2020, 8 bits": {
    file: "2020.mp4",
    least: CURVED,
    encode: `${X264} -color_primaries bt2020 -color_trc bt2020-10 -colorspace bt2020nc`,
    filters: WIDE,
  },
  "primaries BT.2020, transfer unnamed": {
    file: "2020u.mp4",
    least: CURVED,
    encode: `${X264} -color_primaries bt2020 -colorspace bt2020nc`,
    filters: `setparams=color_trc=bt709,${WIDE}`,
  },
  "primaries P3": {
    file: "p3.mov",
    least: CURVED,
    encode: `${X264} -color_primaries smpte432 -color_trc iec61966-2-1 -colorspace bt709`,
    filters: WIDE.replace("transfer=bt709", "transfer=iec61966-2-1"),
  },
  "HDR10 (H.265)": {
    file: "h.mp4",
    encode:
      `${X265}:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc -pix_fmt yuv420p10le`,
    filters: TONE_MAPPED,
  },
  "HLG": {
    file: "l.mp4",
    encode: `${X264} -color_primaries bt2020 -color_trc arib-std-b67 -colorspace bt2020nc`,
    filters: TONE_MAPPED,
  },
  "HLG, 4:2:2 of 10 bits, turned 90° by its metadata": {
    file: "l90.mp4",
    encode: `${X264} -color_primaries bt2020 -color_trc arib-std-b67 -colorspace bt2020nc ` +
      "-pix_fmt yuv422p10le",
    remux: "-c copy -metadata:s:v rotate=90",
    filters: TONE_MAPPED,
    least: DEEP,
  },
  "HDR of P3, full range": {
    file: "p3.mp4",
    encode: `${X264} -color_primaries smpte432 -color_trc smpte2084 -colorspace bt709 ` +
      "-color_range pc -pix_fmt yuv444p10le",
    filters: TONE_MAPPED,
  },
  "H.265 in MP4": { file: "5.mp4", encode: X265 },
  "H.265 of 10 bits in TS": { file: "5.ts", encode: `${X265} -pix_fmt yuv420p10le`, least: DEEP },
  "AV1 in MP4": { file: "av1.mp4", encode: "-c:v libaom-av1 -cpu-used 8 -usage realtime" },
  "VP8 in WebM": { file: "8.webm", encode: "-c:v libvpx -b:v 500k -cpu-used 8" },
  "VP9 in WebM": { file: "9.webm", encode: "-c:v libvpx-vp9 -b:v 500k -cpu-used 8" },
  "Theora in Ogg": { file: "t.ogv", encode: "-c:v libtheora -q:v 7" },
  "Theora of a variable rate": {
    file: "tv.ogv",
    encode: "-c:v libtheora -q:v 7 -vf select=not(eq(n\\,3))",
  },
  "MPEG-1 in PS": { file: "1.mpg", encode: "-c:v mpeg1video -q:v 3" },
  "MPEG-4 in AVI": { file: "4.avi", encode: "-c:v mpeg4 -q:v 3" },
  "MPEG-4 with B-frames in 3GP": { file: "4.3gp", encode: "-c:v mpeg4 -q:v 3 -bf 2" },
  "H.263 in 3GP": { file: "h.3gp", size: "176x144", encode: "-c:v h263 -q:v 3" },
  "Sorenson Spark in FLV": { file: "s.flv", encode: "-c:v flv -q:v 3" },
  "Windows Media 8 in ASF": { file: "w.wmv", encode: "-c:v wmv2 -q:v 3" },
  "MS MPEG-4 v3 in AVI": { file: "m.avi", encode: "-c:v msmpeg4 -q:v 3" },
  "Cinepak in AVI": { file: "c.avi", encode: "-c:v cinepak", duration: 0.2 },
  "MJPEG in AVI": { file: "j.avi", encode: "-c:v mjpeg -q:v 3" },
  "MJPEG 4:4:4 in MOV": { file: "j.mov", encode: "-c:v mjpeg -q:v 3 -pix_fmt yuvj444p" },
  "MJPEG as bare pictures": { file: "j.mjpeg", encode: "-c:v mjpeg -q:v 3" },
  "one JPEG": { file: "j.jpg", encode: "-frames:v 1 -q:v 3" },
  "DV, interlaced, in AVI": {
    file: "dv.avi",
    size: "720x576",
    duration: 0.2,
    encode: "-c:v dvvideo -pix_fmt yuv420p",
    filters: INTERLACED,
  },
  "ProRes 4:2:2 in MOV": { file: "p.mov", encode: "-c:v prores", least: DEEP },
  "FFV1 with alpha in Matroska": { file: "ff.mkv", encode: "-c:v ffv1 -pix_fmt bgra" },
  "HuffYUV in AVI": { file: "hf.avi", encode: "-c:v huffyuv" },
  "raw video without colours in AVI": { file: "raw.avi", encode: "-c:v rawvideo -pix_fmt gray" },
  "raw video in Y4M": { file: "raw.y4m", encode: "-f yuv4mpegpipe" },
  "PNG with alpha in MOV": { file: "png.mov", encode: "-c:v png -pix_fmt rgba" },
  "animated GIF": { file: "a.gif", encode: "-c:v gif" },
  "animated PNG with alpha": { file: "a.apng", encode: "-c:v apng -pix_fmt rgba" },
};

/** A kind of stream, and the test that covers it. */
export interface StreamKind {
  readonly kind: string;
  readonly spacing: string;
  readonly pixels: string;
  readonly file: string;
  readonly test: string;
}

const pictures = (kind: string): StreamKind => ({
  kind: `MJPEG over HTTP, ${kind}`,
  spacing: "equal",
  pixels: "byte for byte",
  file: "picture_stream_test.ts",
  test: "pictures are found whatever stands between them",
});

const live = (kind: string, test: string): StreamKind => ({
  kind,
  spacing: "evenly spaced",
  pixels: "not compared",
  file: "capture_times_test.ts",
  test,
});

const JUMPS = "a live stream whose time jumps, stands still or goes back keeps its spacing";
const set = (kinds: string): StreamKind => ({
  ...live(`wall clock ±1 h and ±10 s, ${kinds}`, `wall clock set ±1 h and ±10 s: ${kinds}`),
  file: "clock_steps_test.ts",
});

export const STREAM_KINDS: readonly StreamKind[] = [
  live("stream time 60 s back once", JUMPS),
  live("stream time 9 800 s forward once", JUMPS),
  live("stream time, one frame far in the past", JUMPS),
  live("stream time constant", JUMPS),
  live("stream time reset", JUMPS),
  {
    ...live("two recordings joined in TS, an hour between, or back", ""),
    pixels: "equal",
    file: "corpus_ffmpeg_test.ts",
    test: "corpus: two recordings joined in TS, an hour between, or back",
  },
  set("pattern"),
  set("video file, folder"),
  set("MJPEG, snapshots"),
  set("RTSP"),
  set("a device's driver"),
  {
    ...live("two cameras side by side, one evil", ""),
    file: "clock_steps_test.ts",
    test: "two cameras side by side, one evil: the good one keeps its spacing",
  },
  {
    ...live("file, folder, HTTP, RTSP, device: each beside an evil one of each", ""),
    file: "clock_steps_test.ts",
    test: "good cameras of each kind beside an evil one of each kind keep count and spacing",
  },
  pictures("lengths right, absent, 0, negative, too short, too long"),
  pictures("boundaries missing, mismatched, of four hyphens, without hyphens"),
  pictures("blank lines before a picture, garbage behind it"),
  {
    ...pictures("a picture without an end"),
    test: "a picture without an end is taken as far as its part goes",
  },
  {
    kind: "snapshots of any content type",
    spacing: "at --fps",
    pixels: "byte for byte",
    file: "mjpeg_test.ts",
    test: "snapshots are recognised by their bytes, whatever their content type says",
  },
];

// The viewer's public API.
export { cameraText, cameraTitle } from "./protocol.ts";
export { startViewer, type Viewer, type ViewerOptions } from "./viewer.ts";
export type { ViewerToken } from "./access.ts";
export type { KnownCamera } from "./known_cameras.ts";
export { LogFeed, type LogFeedOptions } from "./log_feed.ts";

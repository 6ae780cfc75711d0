// The libraries that a run may load, each by its exact file.
import type { NativeName } from "./access.ts";
import { isThere, parentOf, realPath } from "./paths.ts";

const { os, arch } = Deno.build;
const PLATFORM = { linux: "linux", darwin: "darwin", windows: "win32" }[os as string] ?? os;
const CPU = arch === "x86_64" ? "x64" : "arm64";

/** Where a package keeps its libraries: packages from the first to the last, then folders of the last. */
interface Place {
  readonly packages: readonly string[];
  readonly folders: readonly string[];
}

const PLACES: Readonly<Record<NativeName, readonly Place[]>> = {
  jpeg: [{
    packages: ["@julusian/jpeg-turbo"],
    folders: ["", "-musl"].map((libc) => `prebuilds/jpeg-turbo-${PLATFORM}-${CPU}${libc}`),
  }],
  sharp: ["", "musl"].map((libc) => ({
    packages: ["sharp", `@img/sharp-${PLATFORM}${libc}-${CPU}`],
    folders: ["lib"],
  })),
  ffmpeg: (PLATFORM === "win32" ? ["", "-mingw"] : [""]).map((kind) => ({
    packages: ["node-av", `@seydx/node-av-${PLATFORM}-${CPU}${kind}`],
    folders: [""],
  })),
  onnx: [{
    packages: ["onnxruntime-node"],
    folders: [`bin/napi-v6/${PLATFORM}/${CPU}`],
  }],
};

/** The folder of a package as a module in `from` finds it, with links followed. */
function packageFolder(name: string, from: string): string | undefined {
  for (let folder = from;; folder = parentOf(folder)) {
    const place = `${folder === "/" ? "" : folder}/node_modules/${name}`;
    if (isThere(place)) return realPath(place);
    if (parentOf(folder) === folder) return undefined;
  }
}

/**
 * The files of some libraries, for this system.
 *
 * @param root folder of Framelane's code.
 */
export function libraryFiles(names: readonly NativeName[], root: string): string[] {
  const files: string[] = [];
  for (const { packages, folders } of names.flatMap((name) => PLACES[name])) {
    let place: string | undefined = root;
    for (const name of packages) place &&= packageFolder(name, place);
    if (place === undefined) continue;
    for (const folder of folders.map((name) => name === "" ? place : `${place}/${name}`)) {
      for (const { name, isFile } of isThere(folder) ? Deno.readDirSync(folder) : []) {
        if (isFile && /\.node$|^libturbojpeg\./.test(name)) files.push(`${folder}/${name}`);
      }
    }
  }
  return files;
}

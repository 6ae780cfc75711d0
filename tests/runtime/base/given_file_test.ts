/** Files that people name and that are none: each command says what is there, and waits for nothing. */
import assert from "node:assert/strict";
import { openState } from "../../../cameras/registry.ts";
import { realPath } from "../../../cli/launch/paths.ts";
import { readGiven } from "../../../runtime/base/given_file.ts";
import { folderIdentity } from "../../../runtime/log/folder_identity.ts";
import { parseAddress } from "../../../runtime/log/kafka/net/address.ts";
import { readOnnx } from "../../../queries/operators/model/onnx_file.ts";
import { readZones } from "../../../queries/operators/zones/file.ts";
import { withFolder } from "../../support/folder.ts";

Deno.test("a folder, a pipe, a circle of links and a path through a file are told by name", () =>
  withFolder(async (dir) => {
    await Deno.mkdir(`${dir}/folder`);
    await Deno.writeTextFile(`${dir}/file`, "");
    await Deno.symlink("circle", `${dir}/circle`);
    await new Deno.Command("mkfifo", { args: [`${dir}/pipe`] }).output();
    const faults = {
      folder: /it is a folder, not a file/,
      pipe: /it is not a regular file/,
      circle: /its symbolic links lead in a circle/,
      "file/below": /a part of the path is a file, not a folder/,
    };
    const readers: ((path: string) => unknown)[] = [
      readGiven,
      readOnnx,
      readZones,
      openState,
      (path) => parseAddress(`kafka://broker:9092?tls=true&ca=${path}`),
    ];
    for (const [name, fault] of Object.entries(faults)) {
      for (const reader of readers) {
        await assert.rejects(Promise.try(reader, `${dir}/${name}`), fault, `${reader} ${name}`);
      }
    }
    for (const name of ["file", "pipe", "file/below"]) {
      await assert.rejects(
        folderIdentity(`${dir}/${name}`),
        /Cannot keep checkpoints in ".*is a file/,
      );
    }
    // The launcher leaves it to the command.
    assert.equal(realPath(`${dir}/circle/x`), `${await Deno.realPath(dir)}/circle/x`);
  }));

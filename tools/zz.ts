import { circles, importsOf } from "./imports.ts";
import { repositoryFiles } from "./words.ts";
for (const c of circles(await importsOf((await repositoryFiles()).filter(f=>f.endsWith(".ts"))))) console.log(c.join(" → "));

// Words that must not appear in the repository: deferred work, paths of one machine, broad
// permissions, unreachable registries, odd English, tests that depend on the machine.
import { isFile } from "../runtime/base/folders.ts";
import { join, ROOT } from "./paths.ts";
import { run } from "./run.ts";

export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly says: string;
}

interface Forbidden {
  readonly says: string;
  readonly pattern: RegExp;
  readonly except?: RegExp;
}

// Split, so that this file passes its own check.
const FORBIDDEN: readonly Forbidden[] = [
  {
    says: "work left for later",
    pattern: new RegExp(
      `\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`,
    ),
  },
  { says: "work left for later", pattern: new RegExp(`not (yet )?${"imple" + "mented"}`, "i") },
  {
    says: "a path of one machine",
    pattern: new RegExp(
      `(?<![\\w.:/@*-])/(${["work", "home", "root", "Users", "tm" + "p"].join("|")})/`,
    ),
  },
  { says: "a path outside of the repository", pattern: new RegExp(`\\.\\./${"sha" + "red"}\\b`) },
  {
    says: "a registry that is not reachable everywhere",
    pattern: new RegExp(`["']${"js" + "r"}:`),
  },
  {
    says: "all permissions",
    pattern: new RegExp(
      `${"--allow" + "-all"}|deno (run|test|task|bench|eval|serve)[^\\n"'\`]* -${"A"}\\b`,
    ),
  },
  {
    says: "the address of a package registry",
    pattern: new RegExp(
      ["registry.npmjs" + ".org", "repo1.maven" + ".org", "pypi" + ".org", "deb.debian" + ".org"]
        .map((host) => host.replaceAll(".", "\\.")).join("|"),
    ),
  },
  { says: "a swallowed error", pattern: /catch\s*(\(\w+\)\s*)?\{\s*\}/, except: /\.md$/ },
  {
    says: "a test that is skipped, or that skips others",
    pattern: new RegExp(
      `Deno\\.test\\.(ignore|only)\\(|\\b(ignore|only): ${"tr"}ue|sanitize(Ops|Resources|Exit): ${"fal"}se`,
    ),
    except: /^tests\/tools\/test_test\.ts$/,
  },
];

/** Phrases that no engineer would use, and what to write instead. */
const ODD_ENGLISH: Readonly<Record<string, string>> = {
  "(lines?|words|messages?|text) for people": "messages, text",
  "whoever": "name who it is: the caller, the owner, a reader",
  "nobody": "no reader, no owner, without …",
  "anew": "again",
  "so many": "this many, a number of",
  "(is|are|was|were|be|been) told": "is reported, knows",
  "unless (told|given)( otherwise)?": "by default",
  "(goes|go) by": "uses",
  "(hangs?|hung) on (it|them|one|an?|the|others?|earlier|which|pictures|dropped)": "depends on",
  "lets? go of": "releases, drops",
  "(puts?|putting) right": "corrects, fixes",
  "tells? of": "reports, shows",
  "(comes?|came) into being": "is created",
  "bury|buried": "drop",
  "somebody": "a viewer, a caller, another process",
  "anybody|everybody": "anyone, everyone",
  "for ever": "without end, without limit",
  "all the same": "even so, anyway",
  "of no use": "does not help, useless",
  "be had": "exists, can be fetched",
  "sees? to it": "makes sure",
  "what it is at": "its state, what it is doing",
  "left behind": "abandoned, remaining",
  "let go": "released, dropped",
  "so large": "this large",
  "whatever (it|they) (is|are)": "any …",
  "as (it|they) stands?": "unchanged, as written",
  "in the place of": "instead of",
  "out of (its|their) bounds": "out of range",
  "that (is|are) none": "that is invalid, that is not a …",
  "knows? nothing of": "does not know",
  "asked for": "requested, set, named",
  "left out": "skipped, dropped, omitted",
  "in vain": "without success",
  "for good": "permanently, until a restart",
  "(hears?|heard) (it|of)": "receives, gets",
  "(gives?|gave) back": "returns",
  "(takes?|is taken) up again": "resumes",
  "(?<=\\S )(?<!there )(is|are|was|were|be) no(?! (longer|more|\\w+er than)\\b)":
    "is not a …, are not …",
  "ere|whither|hither|thither|yonder|wherefore|whence": "a modern word",
};

// Only developers read the names and output of tests.
const ENGLISH = Object.entries(ODD_ENGLISH).map(([words, instead]): Forbidden => ({
  says: `odd English; write instead: ${instead}`,
  pattern: new RegExp(`\\b(${words})\\b`, "i"),
  except: /^(tests|bench)\/|^tools\/words\.ts$/,
}));

/** What makes a test fail on a machine that is slow, whose clocks drift, or in a folder `my clips`; and what to do instead. */
const HASTY: readonly (readonly [RegExp, string])[] = [
  [/\bnow\(\) - [\w.!]+\)? *</, "until, coreMsOf or a clock of its own"],
  [/<=? Date\.now\(\)(?! \+)|(?<!\+ )Date\.now\(\) >/, "isPast: clocks drift apart"],
  [/AbortSignal\.timeout\(\d|\btimeout: \d/, "PATIENCE_MS"],
  [/import\.meta\.url\)\.pathname/, "import.meta.dirname: a URL encodes the spaces of a path"],
];

const ON_OTHERS = HASTY.map(([pattern, instead]): Forbidden => ({
  says: `what fails on another machine; write instead: ${instead}`,
  pattern,
  except: /^(?!tests\/)|^tests\/(trials|support)\//,
}));

export function findWords(file: string, text: string): Finding[] {
  const rules = [...FORBIDDEN, ...ENGLISH, ...ON_OTHERS].filter(({ except }) =>
    !except?.test(file)
  );
  return text.split("\n").flatMap((content, index) =>
    rules.filter(({ pattern }) => pattern.test(content))
      .map(({ says }) => ({ file, line: index + 1, says }))
  );
}

const TEXT =
  /\.(ts|tsx|js|mjs|json|jsonc|md|yaml|yml|toml|sh|py|html|css|svg|xml|txt)$|(^|\/)(run|Dockerfile|LICENSE)$/;

/** All files of the repository, including uncommitted ones. */
export async function repositoryFiles(root = ROOT): Promise<string[]> {
  const listed = await run("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
  });
  if (listed?.code !== 0) throw new Error(`Cannot list the repository's files: ${listed?.output}`);
  const files: string[] = [];
  for (const file of new Set(listed.output.split("\n"))) {
    if (file !== "" && await isFile(join(root, file))) files.push(file);
  }
  return files.sort();
}

export async function findAllWords(root = ROOT): Promise<Finding[]> {
  const files = (await repositoryFiles(root)).filter((file) => TEXT.test(file));
  const found = await Promise.all(
    files.map(async (file) => findWords(file, await Deno.readTextFile(join(root, file)))),
  );
  return found.flat();
}

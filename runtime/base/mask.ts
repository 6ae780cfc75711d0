// Removes secrets from text before it reaches a log, a metric, a page or an error.
//
// Patterns find what looks like a secret: the password of any URL, tokens in query strings, `password=…`,
// authorization headers. In addition, secrets registered at start with {@linkcode learnSecrets} are replaced
// wherever they appear, however they are quoted. When in doubt, hide too much.

/** Replaces secrets. */
const MASK = "***";

/** Names whose values are secret wherever `NAME=value` or `"NAME": "value"` appears. */
const SECRET_NAME = String
  .raw`(?:token|passwords?|passwd|passphrase|passcode|pwd|secret|api[-_]?key|apikey|access[-_]?key|private[-_]?key|signature|credentials?|authorization|cookie)`;
/** Names that are secret only in a query string; elsewhere they are ordinary words. */
const QUERY_NAME = String
  .raw`(?:pass|pw|key|auth|sig|code|jwt|session|sid|hmac|user|usr|username|login)`;

// Every repetition that can start anywhere is bounded, so that hostile text takes linear time.
const URL_START = /[a-z][a-z0-9+.-]{0,31}:\/\//gi;
const ENCODED_URL = /([a-z][a-z0-9+.-]{0,31}%3A%2F%2F)([^\s"&]{0,512})%40/gi;
const BARE_CREDENTIALS =
  /(^|[\s"'`,;=(<[{])([^\s"'`,;=(<[{:@/]{1,128}):(?!\/\/)([^\s"@]{1,128})@(?=[\w[])/g;
/** A colon in a value. One before a blank or at the end belongs to the sentence around it. */
const COLON = String.raw`:(?![\s"']|$)`;
const QUERY_SECRET = new RegExp(
  String
    .raw`([?&;](?:${QUERY_NAME}|[\w.-]{0,64}${SECRET_NAME}[\w.-]{0,64})=)(?!\*{3}[\s,])((?:\\[^"\r\n]|${COLON}|[^\s"'&#<>\\:])*)`,
  "gi",
);
const SECRET_KEY = new RegExp(SECRET_NAME, "i");
const SETTING = new RegExp(
  String.raw`${SECRET_NAME}[\w.-]{0,64}(?:=|(\\*["'])\s*:\s*|: +(?=\\*["']))(?!\*{3})`,
  "gi",
);
const BARE_VALUE = new RegExp(String.raw`(?:\\[^"\r\n]|${COLON}|[^\s"'&,;<>\\:])+`, "y");
const JSON_SCALAR = /[\w.+-]+/y;
const FLAG = new RegExp(
  String
    .raw`(--[a-z-]{0,32}${SECRET_NAME}[a-z-]{0,32}[\s=]+)(?!-)((?:\\[^"\r\n]|${COLON}|[^\s"'\\:])+)`,
  "gi",
);
const HEADER =
  /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(\s*:\s*)((?:\\[^"\r\n]|[^\r\n"\\])+)/gi;
const BEARER = /\b(bearer|basic|digest)(\s+)([\w.+/=~-]{6,})/gi;

/** Schemes whose "@" is part of a path or a package name and never ends a password. */
const NO_CREDENTIALS = new Set(["file", "npm", "node", "jsr", "data", "blob", "embedded", "ext"]);

/** Shorter secrets are found by pattern only: replacing them everywhere would mangle the text. */
const SHORTEST_LEARNED = 4;
const learned = new Set<string>();
let learnedPattern: RegExp | undefined;

/**
 * Registers the secrets in `text` (an argument or a setting), so that {@linkcode maskSecrets} later finds
 * them plain, percent-encoded or decoded.
 *
 * @param text a URL whose password is a secret, or a secret itself if `whole` is true
 */
export function learnSecrets(text: string, { whole = false }: { whole?: boolean } = {}): void {
  const found = whole ? [text] : [...passwordsOf(text)];
  for (const secret of found) {
    for (const form of formsOf(secret)) {
      if (form.length >= SHORTEST_LEARNED) learned.add(form);
    }
  }
  learnedPattern = undefined;
}

/**
 * The text with its secrets masked.
 *
 * `user:password@` in a URL keeps the user; `token@` keeps nothing. Text without secrets is returned
 * unchanged. JSON stays JSON.
 */
export function maskSecrets(text: string): string {
  const masked = maskText(text);
  if (masked === text || !/^\s*[{[]/.test(text)) return masked;
  try {
    // Mask each JSON string by itself, so that quotes inside it are not confused with the quotes around it.
    return JSON.stringify(maskValue(JSON.parse(text)));
  } catch (error) {
    // Not JSON after all, or nested too deeply.
    if (error instanceof SyntaxError || error instanceof RangeError) return masked;
    throw error;
  }
}

function maskValue(value: unknown): unknown {
  if (typeof value === "string") return maskSecrets(value);
  if (Array.isArray(value)) return value.map(maskValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, of]) => [
      maskText(key),
      SECRET_KEY.test(key) && typeof of !== "object" ? MASK : maskValue(of),
    ]),
  );
}

function maskText(text: string): string {
  let masked = maskUrls(text);
  if (masked.includes("%40")) masked = masked.replace(ENCODED_URL, `$1${MASK}%40`);
  if (masked.includes("@")) {
    masked = masked.replace(
      BARE_CREDENTIALS,
      (whole, before: string, user: string) =>
        NO_CREDENTIALS.has(user.toLowerCase()) ? whole : `${before}${user}:${MASK}@`,
    );
  }
  if (/[=:]|--/.test(masked)) {
    masked = maskSettings(masked.replace(QUERY_SECRET, `$1${MASK}`))
      .replace(HEADER, `$1$2${MASK}`)
      .replace(FLAG, `$1${MASK}`);
  }
  masked = masked.replace(BEARER, `$1$2${MASK}`);
  return maskLearned(masked);
}

/** Control characters except tabs and line ends, and bidirectional marks. */
const CONTROL = new RegExp(
  String.raw`[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]`,
  "g",
);

/**
 * Escapes control characters, which a terminal would obey: texts come from cameras, records and brokers.
 * JSON stays equivalent.
 */
export function printable(text: string): string {
  return text.replace(
    CONTROL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Masks text known to be a single URL: unlike in running text, a password may hold blanks and quotes. */
export function maskUrl(url: string | URL): string {
  const text = String(url);
  const start = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0];
  const at = text.lastIndexOf("@");
  if (start === undefined || at < 0 || NO_CREDENTIALS.has(start.slice(0, -3).toLowerCase())) {
    return maskSecrets(text);
  }
  return start + maskUserinfo(text.slice(start.length, at)) + maskSecrets(text.slice(at));
}

function maskUrls(text: string): string {
  if (!text.includes("://")) return text;
  let masked = "";
  let position = 0;
  URL_START.lastIndex = 0;
  for (let match = URL_START.exec(text); match !== null; match = URL_START.exec(text)) {
    const from = match.index + match[0].length;
    const end = endOfUrl(text, from);
    // A raw "/", "?" or "@" inside a password is common, so the last "@" ends it.
    const at = text.lastIndexOf("@", end - 1);
    const scheme = match[0].slice(0, -3).toLowerCase();
    if (at >= from && !NO_CREDENTIALS.has(scheme)) {
      masked += text.slice(position, from) + maskUserinfo(text.slice(from, at));
      position = at;
    }
    URL_START.lastIndex = end;
  }
  return masked + text.slice(position);
}

/** The end of a URL in running text: a blank, a bracket or an unescaped double quote. */
function endOfUrl(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const character = text[i]!;
    if (character === "\\" && text[i + 1] === '"') i++;
    else if (character === '"' || character === "<" || character === ">" || character <= " ") {
      return i;
    }
  }
  return text.length;
}

function maskUserinfo(userinfo: string): string {
  const colon = userinfo.indexOf(":");
  return colon < 0 ? MASK : `${userinfo.slice(0, colon)}:${MASK}`;
}

/** Masks `NAME=value`, `"NAME": "value"` and `NAME: 'value'`, quoted at any depth of JSON in JSON. */
function maskSettings(text: string): string {
  let masked = "";
  let position = 0;
  SETTING.lastIndex = 0;
  for (let match = SETTING.exec(text); match !== null; match = SETTING.exec(text)) {
    const from = match.index + match[0].length;
    const opening = openingQuote(text, from);
    let end = from;
    let quote = "";
    if (opening !== "") {
      end = closingQuote(text, from, opening);
      quote = opening;
    } else {
      const shape = match[1] === undefined ? BARE_VALUE : JSON_SCALAR;
      shape.lastIndex = from;
      end = from + (shape.exec(text)?.[0].length ?? 0);
      quote = match[1] ?? "";
    }
    if (end === from) continue;
    masked += `${text.slice(position, from)}${quote}${MASK}${quote}`;
    position = end;
    SETTING.lastIndex = end;
  }
  return masked + text.slice(position);
}

/** The quote at a position with its backslashes, or an empty string. */
function openingQuote(text: string, from: number): string {
  let at = from;
  while (text[at] === "\\") at++;
  return text[at] === '"' || text[at] === "'" ? text.slice(from, at + 1) : "";
}

// The end of a quoted text. Within JSON of depth n, a quote after r backslashes closes a string if r mod 2ⁿ⁺¹
// is 2ⁿ − 1; a quote with fewer closes the string around it.
function closingQuote(text: string, from: number, opening: string): number {
  const depth = opening.length;
  const character = opening.at(-1)!;
  let run = 0;
  for (let at = from + opening.length; at < text.length; at++) {
    if (text[at] === "\\") {
      run++;
      continue;
    }
    if (text[at] === character || text[at] === '"') {
      if (text[at] === character && run % (2 * depth) === depth - 1) return at + 1;
      if (run < depth - 1) return at - run;
      if (character === "'" && run % 2 === 0) return at - run;
    }
    run = 0;
  }
  return text.length;
}

function* passwordsOf(text: string): Generator<string> {
  for (const match of text.matchAll(/[a-z][a-z0-9+.-]{0,31}:\/\/([^\s"<>]{0,1024})@/gi)) {
    const scheme = match[0].slice(0, match[0].indexOf(":")).toLowerCase();
    if (NO_CREDENTIALS.has(scheme)) continue;
    const userinfo = match[1]!;
    yield userinfo.slice(userinfo.indexOf(":") + 1);
    // Also the usual reading: the first "@" before the path ends the password.
    const usual = userinfo.split(/[/?#]/)[0]!.replace(/@[^@]*$/, "");
    yield usual.slice(usual.indexOf(":") + 1);
  }
  for (const match of text.matchAll(QUERY_SECRET)) {
    if (SECRET_KEY.test(match[1]!)) yield match[2]!;
  }
}

/** A secret verbatim, decoded, percent-encoded and escaped for JSON. */
function formsOf(secret: string): Set<string> {
  const plain = new Set([secret]);
  try {
    plain.add(decodeURIComponent(secret));
  } catch (error) {
    // Not percent-encoded: a literal "%".
    if (!(error instanceof URIError)) throw error;
  }
  const forms = new Set(plain);
  for (const form of plain) {
    forms.add(form.isWellFormed() ? encodeURIComponent(form) : form);
    forms.add(JSON.stringify(form).slice(1, -1));
  }
  return forms;
}

function maskLearned(text: string): string {
  if (learned.size === 0) return text;
  learnedPattern ??= new RegExp(
    [...learned].sort((a, b) => b.length - a.length).map((secret) => {
      const literal = secret.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
      return /(^|[^\\])(\\\\)*\\$/.test(secret) ? `${literal}(?![\\\\"/bfnrtu])` : literal;
    }).join("|"),
    "g",
  );
  let masked = "";
  let position = 0;
  for (const { 0: secret, index } of text.matchAll(learnedPattern)) {
    let before = index;
    while (before > position && text[before - 1] === "\\") before--;
    // Drop the backslash that escaped the secret's first letter.
    masked += text.slice(position, index - (index - before) % 2) + MASK;
    position = index + secret.length;
  }
  return masked + text.slice(position);
}

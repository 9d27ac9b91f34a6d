/** Errors of the API, with the text that the user reads. */
import { i18n } from "@/i18n";

export interface ErrorBody {
  code: string;
  message: string;
  fields: Record<string, string>;
  params: Record<string, unknown>;
}

/** An answer that was no success. `fields` name the form's fields; texts are in the user's language where known. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: ErrorBody,
  ) {
    super(body.message);
  }

  get code(): string {
    return this.body.code;
  }

  get text(): string {
    const key = `error.${this.body.code}`;
    return i18n.global.te(key) ? i18n.global.t(key, this.body.params) : sentence(this.body.message);
  }

  get fields(): Record<string, string> {
    return Object.fromEntries(Object.entries(this.body.fields).map(([field, text]) => [field, sentence(text)]));
  }
}

export class NotSignedIn extends ApiError {}

/** The request did not reach the server. */
export class NoConnection extends ApiError {
  constructor() {
    super(0, { code: "no_connection", message: "The server can't be reached. Check the network.", fields: {}, params: {} });
  }
}

const PATTERNS: [RegExp, string][] = [
  [/^Missing data for required field\.$/, "field.required"],
  [/^Field may not be null\.$/, "field.required"],
  [/^Shorter than minimum length 1\.$/, "field.required"],
  [/^Length must be between 1 and (\d+)\.$/, "field.length"],
  [/^Longer than maximum length (\d+)\.$/, "field.too_long"],
  [/^Not a valid (integer|number)\.$/, "field.number"],
  [/^Must be greater than or equal to (\S+) and less than or equal to (\S+)\.$/, "field.range"],
  [/^Must be greater than or equal to (\S+)\.$/, "field.min"],
  [/^Must be one of: .*$/, "field.choice"],
  [/^Not a valid (date|datetime|time)\.$/, "field.date"],
  [/^Unknown field\.$/, "field.unknown"],
];

type Sentences = Record<string, string>;
const compiled = new WeakMap<Sentences, [RegExp, string][]>();

/** Those of `sentences` with {0} in them, as patterns: what stands there goes into the user's sentence. */
function patternsOf(sentences: Sentences): [RegExp, string][] {
  let found = compiled.get(sentences);
  if (!found) {
    const escaped = (part: string) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    found = Object.entries(sentences)
      .filter(([english]) => english.includes("{0}"))
      .map(([english, own]) => [new RegExp(`^${english.split(/\{\d\}/).map(escaped).join("(.+?)")}$`, "s"), own]);
    compiled.set(sentences, found);
  }
  return found;
}

function filled(sentences: Sentences, text: string): string | undefined {
  for (const [pattern, own] of patternsOf(sentences)) {
    const match = pattern.exec(text);
    if (match) return own.replace(/\{(\d)\}/g, (_, n: string) => match[Number(n) + 1] ?? "");
  }
  return undefined;
}

/** A server's sentence in the user's language: by `sentences` of the language files, else as it came. */
export function sentence(text: string): string {
  for (const [pattern, key] of PATTERNS) {
    const match = pattern.exec(text);
    if (match) return i18n.global.t(key, [match[1] ?? "", match[2] ?? ""]);
  }
  const messages = i18n.global.getLocaleMessage(i18n.global.locale.value) as { sentences?: Sentences };
  const sentences = messages.sentences ?? {};
  return sentences[text] ?? filled(sentences, text) ?? text;
}

export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.text;
  return error instanceof Error ? error.message : String(error);
}

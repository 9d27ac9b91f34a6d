/** Placeholders of a body, as smsgateway/templates.py writes them: `{{name}}`, `{{field.policy|your policy}}`. */
const TOKEN = /\{\{\s*([a-z][A-Za-z0-9_.]*)\s*(?:\|([^{}\n]*))?\}\}/g;

export const tokenOf = (name: string): string => `{{${name}}}`;

/** Whether the body differs from recipient to recipient. */
export const isPersonal = (body: string): boolean => new RegExp(TOKEN.source).test(body);

/** `body` with each placeholder replaced by what `value` says for its name, or by what stands behind the bar. */
export function filled(body: string, value: (name: string) => string): string {
  return body.replace(TOKEN, (_, name: string, fallback: string | undefined) => value(name) || (fallback ?? "").trim());
}

/** `body` as a template that gives exactly `body`. */
export const literal = (body: string): string => body.replaceAll("{{", "{{{{").replaceAll("}}", "}}}}");

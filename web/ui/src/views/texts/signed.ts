/** The signature 【…】 before a text, as smsgateway/templates.py puts it there. */
const SIGNED = /^\s*【[^【】\n]{1,30}】/;

/** The signature's name without its brackets. */
export function nameOf(signature: string): string {
  return signature.trim().replace(/^[【】]+|[【】]+$/g, "").trim();
}

/** `body` with 【signature】 in front, unless it starts with one already; `always`: with this very one. */
export function signed(body: string, signature: string, always: boolean): string {
  const name = nameOf(signature);
  const there = always ? body.trimStart().startsWith(`【${name}】`) : SIGNED.test(body);
  return name === "" || there ? body : `【${name}】${body}`;
}

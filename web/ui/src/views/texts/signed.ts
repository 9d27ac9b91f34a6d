/** The signature 【…】 before a text, as smsgateway/templates.py puts it there. */
const SIGNED = /^\s*【[^【】\n]{1,30}】/;

/** The signature's name without its brackets. */
export function nameOf(signature: string): string {
  return signature.trim().replace(/^[【】]+|[【】]+$/g, "").trim();
}

/** `body` with 【signature】 in front, unless it starts with one already. */
export function signed(body: string, signature: string): string {
  const name = nameOf(signature);
  return name === "" || SIGNED.test(body) ? body : `【${name}】${body}`;
}

/** Recipients and a template from the address, `?contacts=1,2&groups=3&customers=4&lists=5&phone=+86…&template=6`. */
import type { LocationQuery } from "vue-router";
import { api, type Schemas } from "@/api/client";
import { nobody, type Recipients } from "./draft";

/** Named one by one; more are shown by their count. */
const NAMED = 30;

function ids(query: LocationQuery, name: string): number[] {
  const text = [query[name]].flat().filter(Boolean).join(",");
  return [...new Set(text.split(",").map(Number))].filter((n) => Number.isInteger(n) && n > 0);
}

/** Whether the address says anything of recipients or a template. */
export function isGiven(query: LocationQuery): boolean {
  return ["contacts", "groups", "customers", "leads", "lists", "phone", "template", "copy"].some((name) => query[name] !== undefined);
}

async function names<T>(wanted: number[], ask: (id: number) => Promise<T>, label: (found: T) => string): Promise<{ id: number; label: string }[]> {
  const found = await Promise.all(wanted.slice(0, NAMED).map((id) => ask(id).then(label, () => "")));
  return wanted.map((id, i) => ({ id, label: found[i] || `№ ${id}` }));
}

export async function recipientsOf(query: LocationQuery): Promise<Recipients> {
  const [contacts, customers, leads] = await Promise.all([
    names(ids(query, "contacts"), (id) => api.get("/api/contacts/{contact_id}", { path: { contact_id: id } }), (c) => c.name || (c.phones[0]?.number ?? "")),
    names(ids(query, "customers"), (id) => api.get("/api/customers/card", { query: { customer_id: id } }), (c) => c.name || (c.phones[0]?.number ?? "")),
    names(ids(query, "leads"), (id) => api.get("/api/customers/card", { query: { lead_id: id } }), (c) => c.name || (c.phones[0]?.number ?? "")),
  ]);
  return {
    ...nobody(),
    // A plus that was not escaped in the address has become a space.
    numbers: [query.phone].flat().filter(Boolean).map((p) => String(p).replace(/^ /, "+")).join("\n"),
    contacts,
    groups: ids(query, "groups"),
    lists: ids(query, "lists"),
    people: [
      ...customers.map((c) => ({ customer_id: c.id, lead_id: null, label: c.label })),
      ...leads.map((l) => ({ customer_id: null, lead_id: l.id, label: l.label })),
    ],
  };
}

/** What is said, taken from a template or from an earlier send (`copy`). */
export interface Content {
  kind: "sms" | "mms";
  purpose: "marketing" | "service" | "code";
  subject: string;
  body: string;
  media: Schemas["TextMedia"][];
  templateId: number | null;
  /** Of an earlier send; null: the usual one. */
  signature: string | null;
}

export const contentOf = ({ kind, purpose, subject, body, media, id }: Schemas["TextTemplate"]): Content => ({ kind, purpose, subject, body, media, templateId: id, signature: null });

export async function givenContent(query: LocationQuery): Promise<Content | null> {
  const [template] = ids(query, "template");
  if (template !== undefined) return contentOf(await api.get("/api/text-templates/{template_id}", { path: { template_id: template } }));
  const [copy] = ids(query, "copy");
  if (copy === undefined) return null;
  const send = await api.get("/api/texts/{send_id}", { path: { send_id: copy } });
  const { kind, purpose, subject, body, media, signature, template_id } = send;
  const before = `【${signature}】`;
  return { kind, purpose, subject, media, signature, templateId: template_id, body: signature && body.startsWith(before) ? body.slice(before.length) : body };
}

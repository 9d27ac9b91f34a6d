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
  return ["contacts", "groups", "customers", "leads", "lists", "phone", "template"].some((name) => query[name] !== undefined);
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

export async function templateOf(query: LocationQuery): Promise<Schemas["TextTemplate"] | null> {
  const [id] = ids(query, "template");
  return id === undefined ? null : api.get("/api/text-templates/{template_id}", { path: { template_id: id } });
}

/** A script's text with the lead's fields filled in. */
import type { Card } from "./types";

export interface Part {
  text: string;
  /** Key of the field this part stands for; undefined for the script's own words. */
  field?: string;
  missing?: boolean;
}

const PLACEHOLDER = /\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}/g;

/** What placeholders may name: the lead's own fields, its name and phone, the agent's name. */
export function valuesOf(card: Card, agentName: string): Record<string, string> {
  const own = Object.entries(card.fields ?? {}).map(([key, value]) => [key, Array.isArray(value) ? value.join(", ") : String(value ?? "")]);
  return { ...Object.fromEntries(own), name: card.name ?? "", phone: card.phone ?? "", agent: agentName };
}

export function fill(text: string, values: Record<string, string>): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    const value = values[match[1]] ?? "";
    parts.push({ text: value || "____", field: match[1], missing: value === "" });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

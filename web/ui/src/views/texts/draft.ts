/** A text that is being written: kept in this browser until it is sent, with the key that makes it one send only. */
import type { Schemas } from "@/api/client";

export interface Named {
  id: number;
  label: string;
}

export type CustomerFilter = Schemas["AudienceCustomers"];

/** Whom it is for, as the page shows it. A source that is null, or an empty list, is not chosen. */
export interface Recipients {
  /** As typed. */
  numbers: string;
  people: { customer_id: number | null; lead_id: number | null; label: string }[];
  contacts: Named[];
  groups: number[];
  lists: number[];
  customers: CustomerFilter | null;
  file: Schemas["TextFile"] | null;
}

export interface Draft {
  key: string;
  kind: "sms" | "mms";
  purpose: "marketing" | "service" | "code";
  subject: string;
  body: string;
  signature: string | null;
  templateId: number | null;
  media: Schemas["TextMedia"][];
  recipients: Recipients;
  later: boolean;
  /** Wall clock, "2026-03-10T09:30:00". */
  at: string;
  localTime: boolean;
  outside: "wait" | "refuse";
}

const KEPT = "texts.draft";

/** Not crypto.randomUUID: over plain HTTP browsers do not have it. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

export function nobody(): Recipients {
  return { numbers: "", people: [], contacts: [], groups: [], lists: [], customers: null, file: null };
}

export function blank(at: string): Draft {
  return {
    key: newKey(), kind: "sms", purpose: "marketing", subject: "", body: "", signature: null, templateId: null, media: [],
    recipients: nobody(), later: false, at, localTime: false, outside: "wait",
  };
}

/** Whether there is anything in it that would be a pity to lose. */
export function worthKeeping(draft: Draft): boolean {
  return draft.body.trim() !== "" || draft.subject.trim() !== "" || draft.media.length > 0 || hasRecipients(draft.recipients);
}

export function hasRecipients(r: Recipients): boolean {
  return r.numbers.trim() !== "" || r.people.length + r.contacts.length + r.groups.length + r.lists.length > 0 || r.customers !== null || r.file !== null;
}

/** `user`: drafts of several users of one browser do not mix. */
export function keep(user: number, draft: Draft): void {
  try {
    if (worthKeeping(draft)) localStorage.setItem(`${KEPT}.${user}`, JSON.stringify(draft));
    else forget(user);
  } catch {
    // A browser whose store is full or barred keeps no drafts.
  }
}

export function forget(user: number): void {
  localStorage.removeItem(`${KEPT}.${user}`);
}

/** What was kept, over `fresh` for what an older version did not have. */
export function kept(user: number, fresh: Draft): Draft | null {
  try {
    const found = JSON.parse(localStorage.getItem(`${KEPT}.${user}`) ?? "null") as Partial<Draft> | null;
    return found ? { ...fresh, ...found, recipients: { ...fresh.recipients, ...found.recipients } } : null;
  } catch {
    return null;
  }
}

/** A draft as the API takes it. */
import type { Schemas } from "@/api/client";
import { instantOf } from "../desk/zone";
import type { Draft, Recipients } from "./draft";
import { numbersIn } from "./typed";

export function audienceOf(r: Recipients): Schemas["Audience"] {
  return {
    numbers: numbersIn(r.numbers).given,
    file: r.file?.id ?? "",
    people: r.people.map(({ customer_id, lead_id }) => ({ customer_id, lead_id })),
    contacts: r.contacts.map((c) => c.id),
    groups: r.groups,
    lists: r.lists,
    customers: r.customers,
  };
}

/** `zone`: the enterprise's. By the recipients' clocks the wall time itself is given, with the enterprise's offset. */
export function previewOf(draft: Draft, zone: string): Schemas["PreviewText"] {
  const mms = draft.kind === "mms";
  return {
    kind: draft.kind,
    purpose: draft.purpose,
    subject: mms ? draft.subject : "",
    body: draft.body,
    signature: draft.signature ?? "",
    media: mms ? draft.media.map((m) => m.id) : [],
    audience: audienceOf(draft.recipients),
    not_before: draft.later && draft.at ? instantOf(draft.at, zone).toISOString() : null,
    local_time: draft.later && draft.localTime,
    outside_hours: draft.outside,
  };
}

/** A number's rules as the form has them: every part is there, whatever the rule's kind uses of it. */
import type { Schemas } from "@/api/client";

export type Given = Schemas["NumberRule"];
export interface Rule {
  when: Given["when"];
  then: Given["then"];
  during: NonNullable<Given["during"]>;
  within_min: number;
  prefixes: string[];
  to: Schemas["Destination"] | null;
  priority: number;
}

export const WHEN: readonly Rule["when"][] = ["blacklisted", "anonymous", "vip", "known", "repeated", "prefix", "any"];
export const DURING: readonly Rule["during"][] = ["always", "open", "closed"];

/** What may become of callers of whom nobody is in charge is less. */
export function thens(when: Rule["when"]): readonly Rule["then"][] {
  const all: readonly Rule["then"][] = ["owner", "last_agent", "destination", "priority", "refuse"];
  return when === "blacklisted" || when === "anonymous" || when === "prefix" ? all.filter((x) => x !== "owner" && x !== "last_agent") : all;
}

export function ruleOf(given: Partial<Schemas["ShownRule"]> = {}): Rule {
  return {
    when: given.when ?? "vip",
    then: given.then ?? "owner",
    during: given.during ?? "always",
    within_min: given.within_min ?? 30,
    prefixes: [...(given.prefixes ?? [])],
    to: given.to ? { kind: given.to.kind, id: given.to.id ?? null, number: given.to.number ?? "" } : null,
    priority: given.priority ?? 0,
  };
}

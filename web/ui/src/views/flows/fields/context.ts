/** What the fields of a node's form know of the menu around them. */
import { inject, provide, type ComputedRef, type InjectionKey, type Ref } from "vue";
import type { Schemas } from "@/api/client";
import type { Setting } from "../model/verbs";

export type RefKind = "queue" | "flow" | "agent" | "calendar" | "prompt";

export interface FieldContext {
  /** Names of the variables that may be filled in. */
  variables: ComputedRef<string[]>;
  /** Languages that callers can be spoken to in. */
  languages: ComputedRef<string[]>;
  /** What a branch's case may hold besides its name. */
  cases: ComputedRef<Setting[]>;
  /** What nodes can point at; null while it is asked for. */
  options: Ref<Schemas["FlowOptions"] | null>;
  readonly: ComputedRef<boolean>;
}

const KEY: InjectionKey<FieldContext> = Symbol("flow fields");

export function provideFields(context: FieldContext): void {
  provide(KEY, context);
}

export function useFields(): FieldContext {
  const context = inject(KEY);
  if (!context) throw new Error("a field of a menu outside of its form");
  return context;
}

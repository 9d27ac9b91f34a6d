/** What the parts of the address book share: groups, names, and the addresses of texts. */
import { ref, shallowRef, type Ref, type ShallowRef } from "vue";
import { api, type Schemas } from "@/api/client";

export type Group = Schemas["ContactGroup"];
export type Contact = Schemas["Contact"];
export type Filter = Schemas["ContactFilter"];

export interface Groups {
  tree: ShallowRef<Group[]>;
  all: Ref<number>;
  ungrouped: Ref<number>;
  error: ShallowRef<unknown>;
  load: () => Promise<void>;
}

/** The groups that the user sees, each after the one above it. */
export function useGroups(): Groups {
  const tree = shallowRef<Group[]>([]);
  const all = ref(0);
  const ungrouped = ref(0);
  const error = shallowRef<unknown>(null);
  async function load(): Promise<void> {
    try {
      const found = await api.get("/api/contact-groups");
      tree.value = found.tree;
      all.value = found.all;
      ungrouped.value = found.ungrouped;
      error.value = null;
    } catch (caught) {
      error.value = caught;
    }
  }
  return { tree, all, ungrouped, error, load };
}

/** Whether `group` is `above` or stands below it. */
export function isBelow(group: Group, above: number, tree: Group[]): boolean {
  const byId = new Map(tree.map((g) => [g.id, g]));
  for (let at: Group | undefined = group; at; at = at.parent_id === null ? undefined : byId.get(at.parent_id)) if (at.id === above) return true;
  return false;
}

export function nameOf(contact: Contact, nameless: string): string {
  return contact.name || contact.company || contact.phones[0]?.number || nameless;
}

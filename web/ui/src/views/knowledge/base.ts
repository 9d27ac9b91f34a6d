/** What the pages of the knowledge base share: types, the tree of categories, looks of states. */
import { shallowRef, type ShallowRef } from "vue";
import { api, type Schemas } from "@/api/client";

export type Article = Schemas["KnowledgeArticle"];
export type Listed = Schemas["KnowledgeListed"];
export type Category = Schemas["KnowledgeCategory"];
export type Tree = Schemas["KnowledgeTree"];
export type State = Listed["state"];

export const STATES: State[] = ["published", "draft", "expired"];
export const MAX_DEPTH = 3;

export function useTree(): { tree: ShallowRef<Tree>; load: () => Promise<void> } {
  const tree = shallowRef<Tree>({ tree: [], all: 0, uncategorised: 0 });
  async function load(): Promise<void> {
    tree.value = await api.get("/api/knowledge/categories");
  }
  return { tree, load };
}

/** The categories from the root to `id`, itself the last. */
export function wayTo(id: number, tree: Category[]): Category[] {
  const byId = new Map(tree.map((c) => [c.id, c]));
  const way: Category[] = [];
  for (let at = byId.get(id); at; at = at.parent_id === null ? undefined : byId.get(at.parent_id)) way.unshift(at);
  return way;
}

/** How many levels `id` and what stands below it take. */
export function heightOf(id: number, tree: Category[]): number {
  const below = tree.filter((c) => wayTo(c.id, tree).some((up) => up.id === id));
  return 1 + Math.max(...below.map((c) => c.depth)) - Math.min(...below.map((c) => c.depth));
}

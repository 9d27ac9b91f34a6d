/** Names of built-in roles in the user's language, and departments as an indented list. */
import type { Schemas } from "@/api/client";
import { i18n } from "@/i18n";

export type Department = Schemas["Department"];

/** A built-in role's name follows the language; others are as the enterprise wrote them. */
export function roleName(role: { key: string | null; name: string }): string {
  const key = `people.roles.built_in_names.${role.key}`;
  return role.key && i18n.global.te(key) ? i18n.global.t(key) : role.name;
}

export function depthOf(department: Department, all: Department[]): number {
  let depth = 0;
  let parent = department.parent_id;
  while (parent !== null && depth < all.length) {
    depth += 1;
    parent = all.find((d) => d.id === parent)?.parent_id ?? null;
  }
  return depth;
}

/** Departments in the tree's order, indented. `except`: this one and all below it are left out. */
export function departmentOptions(all: Department[], except?: number): { id: number; label: string }[] {
  const left = new Set<number>(except === undefined ? [] : [except]);
  const options = [];
  for (const d of all) {
    if (left.has(d.id) || (d.parent_id !== null && left.has(d.parent_id))) left.add(d.id);
    else options.push({ id: d.id, label: `${"  ".repeat(depthOf(d, all))}${d.name}` });
  }
  return options;
}

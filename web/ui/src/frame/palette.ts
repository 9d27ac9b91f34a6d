/** The palette's commands: pages of the frame, and what features add while their page is open. */
import { onScopeDispose, ref, shallowReactive, type Component } from "vue";

export interface Command {
  id: string;
  label: string;
  hint?: string;
  icon?: Component;
  /** Where it leads; features must not import the router, which imports them. */
  to?: string;
  run?: () => unknown;
}

export const paletteOpen = ref(false);
export const extraCommands = shallowReactive(new Map<string, () => Command[]>());

/** Finds records by what is typed (customers, campaigns …); registered once by a feature's module. */
export type Finder = (text: string, signal: AbortSignal) => Promise<Command[]>;
export const finders = new Map<string, { permission?: string; find: Finder }>();

export function openPalette(): void {
  paletteOpen.value = true;
}

/** Offer commands for as long as the calling component lives. */
export function useCommands(id: string, commands: () => Command[]): void {
  extraCommands.set(id, commands);
  onScopeDispose(() => extraCommands.delete(id));
}

export function addFinder(id: string, find: Finder, permission?: string): void {
  finders.set(id, { find, permission });
}

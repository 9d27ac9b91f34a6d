/** What a feature gives to the frame: `src/views/<noun>/routes.ts` has it as its default export. */
import type { Component } from "vue";
import type { RouteRecordRaw } from "vue-router";

export interface RailEntry {
  to: string;
  icon: Component;
  /** Key of the name, also a command of the palette. */
  labelKey: string;
  permission?: string;
  /** Place from above: desk 10, customers 20, tasks 30, texts 40, calls 50, board 100, campaigns 110, quality 120,
   * reports 130, lists 200, numbers 210, people 220, settings 300. */
  order: number;
  /** Shown to the demo's enterprise only. */
  demo?: boolean;
  /** Drawn at the entry's icon: how much waits there. */
  badge?: Component;
}

/** A page behind "Settings". */
export interface SettingsEntry {
  to: string;
  icon: Component;
  labelKey: string;
  /** Key of one sentence: what is set there. */
  textKey: string;
  permission?: string;
  order: number;
}

export interface Feature {
  routes: RouteRecordRaw[];
  rail?: RailEntry[];
  settings?: SettingsEntry[];
}

export function defineFeature(feature: Feature): Feature {
  return feature;
}

const modules = import.meta.glob<{ default: Feature }>("../views/*/routes.ts", { eager: true });
const features = Object.keys(modules)
  .sort()
  .map((path) => modules[path].default);

export const featureRoutes = features.flatMap((f) => f.routes);
export const railEntries = features.flatMap((f) => f.rail ?? []).sort((a, b) => a.order - b.order);
export const settingsEntries = features.flatMap((f) => f.settings ?? []).sort((a, b) => a.order - b.order);

/** The verbs as the server describes them (`ivr/verb.py`), with the words and pictures that people see. */
import {
  AudioLines, CircleDot, ClipboardList, GitBranch, Globe, Grid3x3, Hash, Languages, MessageSquare, PenLine, PhoneForwarded, PhoneOff, SquareFunction, UsersRound, Voicemail, Volume2, Workflow,
} from "lucide-vue-next";
import { computed, type Component, type ComputedRef, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import type { Schemas } from "@/api/client";
import { cloned, type FlowNode } from "./graph";

/** How a setting is asked for; the shape of its value is told in `ivr/verb.py`. */
export type Setting = Schemas["FlowSetting"];
export type Way = Schemas["FlowWay"];
export type VerbSpec = Schemas["FlowVerb"];

export interface VerbInfo extends VerbSpec {
  label: string;
  help: string;
  icon: Component;
  group: Group;
}

export const GROUPS = ["talk", "ask", "decide", "lead"] as const;
export type Group = (typeof GROUPS)[number];

const LOOKS: Record<string, [Group, Component]> = {
  play: ["talk", Volume2],
  say: ["talk", AudioLines],
  language: ["talk", Languages],
  text_message: ["talk", MessageSquare],
  menu: ["ask", Grid3x3],
  digits: ["ask", Hash],
  survey: ["ask", ClipboardList],
  record: ["ask", CircleDot],
  branch: ["decide", GitBranch],
  http: ["decide", Globe],
  set: ["decide", PenLine],
  queue: ["lead", UsersRound],
  transfer: ["lead", PhoneForwarded],
  voicemail: ["lead", Voicemail],
  goto: ["lead", Workflow],
  hang_up: ["lead", PhoneOff],
};

export interface Catalogue {
  groups: { name: Group; label: string; verbs: VerbInfo[] }[];
  verbs: Map<string, VerbInfo>;
  /** Names of the ways out of `node`, in the order in which they are drawn. */
  waysOf: (node: FlowNode) => Way[];
  wayLabel: (node: FlowNode, way: string) => string;
  titleOf: (node: FlowNode) => string;
  /** A setting's name as people read it. */
  settingLabel: (verb: string, setting: string) => string;
  /** What a new node of this verb holds. */
  defaults: (verb: string) => Record<string, unknown>;
}

/** Whether a setting matters with these values of the others. */
export function matters(setting: Setting, valueOf: (name: string) => unknown): boolean {
  return setting.when === null || setting.when.values.includes(String(valueOf(setting.when.field) ?? ""));
}

function way(name: string, label = "", required = true): Way {
  return { name, label, required, by_caller: false };
}

/** Ways that the entries of a setting are: a menu's keys, a branch's cases. */
function entries(value: unknown): Way[] {
  if (Array.isArray(value))
    return (value as { name?: unknown }[]).filter((c) => typeof c.name === "string" && c.name !== "").map((c) => way(String(c.name), String(c.name)));
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).sort(([a], [b]) => keyOrder(a) - keyOrder(b)).map(([name, label]) => way(name, String(label)));
}

/** Keys as on a telephone: 1 … 9, then *, 0, #. */
export const KEYPAD = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
function keyOrder(key: string): number {
  const at = KEYPAD.indexOf(key);
  return at < 0 ? KEYPAD.length : at;
}

/** Ways that a verb has with some settings only. */
const ALSO: Record<string, (node: FlowNode) => Way[]> = {
  transfer: ({ settings }) => {
    const sure = (settings.to ?? "agent") === "agent" || (settings.to === "number" && !String(settings.number ?? "").includes("{"));
    return sure ? [] : [way("error")];
  },
};

export function waysOf(spec: VerbSpec | undefined, node: FlowNode): Way[] {
  if (!spec) return Object.keys(node.ways).map((name) => way(name, "", false));
  const fixed = ALSO[spec.verb]?.(node) ?? [];
  const own = spec.ways_from ? entries(node.settings[spec.ways_from]) : [];
  const taken = new Set(own.map((w) => w.name));
  return [...own, ...[...spec.ways, ...fixed].filter((w) => !taken.has(w.name))];
}

export function useCatalogue(specs: Ref<VerbSpec[]>): ComputedRef<Catalogue> {
  const { t, te } = useI18n();
  const word = (key: string, otherwise: string): string => (te(key) ? t(key) : otherwise);

  return computed(() => {
    const infos = specs.value.map((spec): VerbInfo => {
      const [group, icon] = LOOKS[spec.verb] ?? ["decide", SquareFunction];
      return { ...spec, group, icon, label: word(`flows.verb.${spec.verb}.name`, spec.verb), help: word(`flows.verb.${spec.verb}.help`, "") };
    });
    const verbs = new Map(infos.map((v) => [v.verb, v]));
    const order = Object.keys(LOOKS);
    const wayLabel = (node: FlowNode, name: string): string => {
      const own = waysOf(verbs.get(node.verb), node).find((w) => w.name === name);
      if (KEYPAD.includes(name)) return own?.label ? t("flows.key_named", { key: name, name: own.label }) : t("flows.key", { key: name });
      return word(`flows.way.${name}`, own?.label || name);
    };
    return {
      verbs,
      groups: GROUPS.map((name) => ({
        name,
        label: t(`flows.group.${name}`),
        verbs: infos.filter((v) => v.group === name).sort((a, b) => order.indexOf(a.verb) - order.indexOf(b.verb)),
      })),
      waysOf: (node) => waysOf(verbs.get(node.verb), node),
      wayLabel,
      titleOf: (node) => node.title || (verbs.get(node.verb)?.label ?? node.verb),
      settingLabel: (verb, setting) => word(`flows.setting_of.${verb}.${setting}`, word(`flows.setting.${setting}`, setting)),
      defaults: (verb) => Object.fromEntries((verbs.get(verb)?.settings ?? []).map((s) => [s.name, cloned(s.default)])),
    };
  });
}

import { Clock, ListChecks, ScrollText, Waypoints } from "lucide-vue-next";
import type { RouteRecordRaw } from "vue-router";
import { defineFeature } from "@/frame/feature";

/** A list at `/settings/<noun>` whose panel has its own address: `new`, or a record's id. */
function section(noun: string, permission: string, list: RouteRecordRaw["component"], panel: RouteRecordRaw["component"]): RouteRecordRaw {
  return {
    path: `/settings/${noun}`,
    name: noun,
    component: list,
    meta: { titleKey: `${noun}.title`, permission },
    children: [{ path: ":id(new|\\d+)", name: `${noun}-one`, component: panel, props: true, meta: { titleKey: `${noun}.title`, permission } }],
  } as RouteRecordRaw;
}

export default defineFeature({
  routes: [
    section("dispositions", "dispositions.write", () => import("./Dispositions.vue"), () => import("./DispositionPanel.vue")),
    section("scripts", "scripts.write", () => import("./Scripts.vue"), () => import("./ScriptPanel.vue")),
    section("rules", "rules.write", () => import("./Rules.vue"), () => import("./RulePanel.vue")),
    section("trunks", "trunks.read", () => import("./Trunks.vue"), () => import("./TrunkPanel.vue")),
  ],
  settings: [
    { to: "/settings/dispositions", icon: ListChecks, labelKey: "dispositions.title", textKey: "dispositions.text", permission: "dispositions.write", order: 40 },
    { to: "/settings/scripts", icon: ScrollText, labelKey: "scripts.title", textKey: "scripts.text", permission: "scripts.write", order: 50 },
    { to: "/settings/rules", icon: Clock, labelKey: "rules.title", textKey: "rules.text", permission: "rules.write", order: 60 },
    { to: "/settings/trunks", icon: Waypoints, labelKey: "trunks.title", textKey: "trunks.text", permission: "trunks.read", order: 70 },
  ],
});

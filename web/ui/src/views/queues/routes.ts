import { GraduationCap, UsersRound } from "lucide-vue-next";
import type { RouteRecordRaw } from "vue-router";
import { defineFeature } from "@/frame/feature";

const permission = "queues.read";

/** A list at `/settings/<noun>` whose panel has its own address: `new`, or a record's id. */
function section(noun: string, list: RouteRecordRaw["component"], panel: RouteRecordRaw["component"]): RouteRecordRaw {
  const meta = { titleKey: `${noun}.title`, permission };
  return { path: `/settings/${noun}`, name: noun, component: list, meta, children: [{ path: ":id(new|\\d+)", name: `${noun}-one`, component: panel, props: true, meta }] } as RouteRecordRaw;
}

export default defineFeature({
  routes: [
    section("queues", () => import("./Queues.vue"), () => import("./QueuePanel.vue")),
    section("skills", () => import("./Skills.vue"), () => import("./SkillPanel.vue")),
  ],
  settings: [
    { to: "/settings/queues", icon: UsersRound, labelKey: "queues.title", textKey: "queues.text", permission, order: 22 },
    { to: "/settings/skills", icon: GraduationCap, labelKey: "skills.title", textKey: "skills.text", permission, order: 24 },
  ],
});

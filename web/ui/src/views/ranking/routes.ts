import { Trophy } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const permission = "enterprise.write";
export default defineFeature({
  routes: [{ path: "/settings/ranking", name: "ranking-settings", component: () => import("./RankingSettings.vue"), meta: { titleKey: "ranking.title", permission } }],
  settings: [{ to: "/settings/ranking", icon: Trophy, labelKey: "ranking.title", textKey: "ranking.text", permission, order: 45 }],
});

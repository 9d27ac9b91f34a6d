import { TabletSmartphone } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [{ path: "/demo-phone", component: () => import("./DemoPhone.vue"), meta: { permission: "texts.read", titleKey: "demophone.title" } }],
  rail: [{ to: "/demo-phone", icon: TabletSmartphone, labelKey: "demophone.title", permission: "texts.read", order: 45, demo: true }],
});

import { Signature } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const SETTINGS = { titleKey: "text_settings.title", permission: "texts.templates" };

export default defineFeature({
  routes: [{ path: "/settings/texts", name: "text-settings", component: () => import("./TextSettings.vue"), meta: SETTINGS }],
  settings: [{ to: "/settings/texts", icon: Signature, labelKey: "text_settings.title", textKey: "text_settings.text", permission: "texts.templates", order: 63 }],
});

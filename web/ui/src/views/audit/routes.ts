import { ScrollText } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [
    {
      path: "/audit",
      component: () => import("./AuditLog.vue"),
      meta: { permission: "audit.read", titleKey: "audit.title" },
    },
  ],
  settings: [{ to: "/audit", icon: ScrollText, labelKey: "audit.title", textKey: "audit.text", permission: "audit.read", order: 900 }],
});

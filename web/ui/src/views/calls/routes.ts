import { PhoneCall } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [
    {
      path: "/calls",
      name: "calls",
      component: () => import("./Calls.vue"),
      meta: { titleKey: "calls.title", permission: "calls.read" },
      children: [
        {
          path: ":callId",
          name: "call",
          component: () => import("./CallPanel.vue"),
          props: true,
          meta: { titleKey: "calls.one", permission: "calls.read" },
        },
      ],
    },
  ],
  rail: [{ to: "/calls", icon: PhoneCall, labelKey: "calls.title", permission: "calls.read", order: 50 }],
});

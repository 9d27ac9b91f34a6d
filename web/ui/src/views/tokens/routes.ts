import { BookOpen, KeyRound } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const permission = "api.tokens";

export default defineFeature({
  routes: [
    {
      path: "/settings/api-tokens",
      name: "api-tokens",
      component: () => import("./Tokens.vue"),
      meta: { titleKey: "api_tokens.title", permission },
      children: [
        { path: "new", component: () => import("./NewToken.vue"), meta: { permission } },
        { path: ":id(\\d+)", component: () => import("./TokenPanel.vue"), meta: { permission } },
      ],
    },
    { path: "/api-docs", name: "api-docs", component: () => import("../apidocs/ApiDocs.vue"), meta: { titleKey: "api_docs.title" } },
  ],
  settings: [
    { to: "/settings/api-tokens", icon: KeyRound, labelKey: "api_tokens.title", textKey: "api_tokens.text", permission, order: 860 },
    { to: "/api-docs", icon: BookOpen, labelKey: "api_docs.title", textKey: "api_docs.text", permission, order: 862 },
  ],
});

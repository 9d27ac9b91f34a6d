import { AudioLines } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [
    {
      path: "/settings/prompts",
      name: "prompts",
      component: () => import("./Prompts.vue"),
      meta: { titleKey: "prompts.title", permission: "prompts.read" },
      children: [
        { path: "new", name: "prompt-new", component: () => import("./NewPrompt.vue"), meta: { titleKey: "prompts.add", permission: "prompts.write" } },
        { path: ":id(\\d+)", name: "prompt", component: () => import("./PromptPanel.vue"), props: true, meta: { titleKey: "prompts.title", permission: "prompts.read" } },
      ],
    },
  ],
  settings: [{ to: "/settings/prompts", icon: AudioLines, labelKey: "prompts.title", textKey: "prompts.text", permission: "prompts.write", order: 30 }],
});

import { MessagesSquare, Reply } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";
import ConversationsBadge from "./ConversationsBadge.vue";

const READ = { titleKey: "conversations.title", permission: "texts.read" };
const KEYWORDS = { titleKey: "text_keywords.title", permission: "texts.templates" };

export default defineFeature({
  routes: [
    {
      path: "/conversations",
      name: "conversations",
      component: () => import("./Conversations.vue"),
      meta: READ,
      children: [{ path: ":id(\\d+)", name: "conversation", component: () => import("./Thread.vue"), props: true, meta: READ }],
    },
    {
      path: "/settings/text-keywords",
      name: "text-keywords",
      component: () => import("./TextKeywords.vue"),
      meta: KEYWORDS,
      children: [{ path: ":id(new|\\d+)", name: "text-keyword", component: () => import("./RulePanel.vue"), props: true, meta: KEYWORDS }],
    },
  ],
  rail: [{ to: "/conversations", icon: MessagesSquare, labelKey: "conversations.title", permission: "texts.read", order: 41, badge: ConversationsBadge }],
  settings: [{ to: "/settings/text-keywords", icon: Reply, labelKey: "text_keywords.title", textKey: "text_keywords.text", permission: "texts.templates", order: 64 }],
});

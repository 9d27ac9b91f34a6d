import { MessageSquareOff, ShieldAlert } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const words = { permission: "words.read", titleKey: "words.title" };
const writer = { permission: "words.write", titleKey: "words.add" };

export default defineFeature({
  routes: [
    {
      path: "/settings/words",
      name: "words",
      component: () => import("./OwnWords.vue"),
      meta: words,
      children: [
        { path: "add", name: "words-add", component: () => import("./AddPanel.vue"), props: { noun: "words" }, meta: writer },
        { path: ":id(\\d+)", name: "words-one", component: () => import("./WordPanel.vue"), props: true, meta: words },
      ],
    },
    { path: "/settings/words/built-in", name: "words-built-in", component: () => import("./BuiltInWords.vue"), meta: words },
    {
      path: "/settings/words/phrases",
      name: "words-phrases",
      component: () => import("./Phrases.vue"),
      meta: words,
      children: [{ path: "add", name: "phrases-add", component: () => import("./AddPanel.vue"), props: { noun: "phrases" }, meta: writer }],
    },
    {
      path: "/settings/opt-outs",
      name: "opt-outs",
      component: () => import("./OptOuts.vue"),
      meta: { permission: "optouts.read", titleKey: "optouts.title" },
      children: [{ path: "add", name: "opt-outs-add", component: () => import("./AddOptOuts.vue"), meta: { permission: "optouts.write", titleKey: "optouts.add" } }],
    },
  ],
  settings: [
    { to: "/settings/words", icon: ShieldAlert, labelKey: "words.title", textKey: "words.text", permission: "words.read", order: 60 },
    { to: "/settings/opt-outs", icon: MessageSquareOff, labelKey: "optouts.title", textKey: "optouts.text", permission: "optouts.read", order: 62 },
  ],
});

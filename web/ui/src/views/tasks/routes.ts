import { ListTodo } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";
import TaskBadge from "./TaskBadge.vue";

export default defineFeature({
  routes: [
    {
      path: "/tasks",
      name: "tasks",
      component: () => import("./Tasks.vue"),
      meta: { titleKey: "tasks.title", permission: "tasks.read" },
      children: [
        { path: "new", name: "task-new", component: () => import("./NewTask.vue"), meta: { titleKey: "tasks.new", permission: "tasks.write" } },
        { path: ":id(\\d+)", name: "task", component: () => import("./TaskPanel.vue"), props: true, meta: { titleKey: "tasks.task", permission: "tasks.read" } },
      ],
    },
  ],
  rail: [{ to: "/tasks", icon: ListTodo, labelKey: "tasks.title", permission: "tasks.read", order: 28, badge: TaskBadge }],
});

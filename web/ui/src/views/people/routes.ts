import { Users } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [
    { path: "/people", redirect: "/people/users" },
    {
      path: "/people/users",
      component: () => import("./UserList.vue"),
      meta: { permission: "users.read", titleKey: "people.users.title" },
      children: [
        { path: "new", component: () => import("./UserPanel.vue"), meta: { permission: "users.write" } },
        { path: ":id(\\d+)", component: () => import("./UserPanel.vue") },
      ],
    },
    {
      path: "/people/roles",
      component: () => import("./RoleList.vue"),
      meta: { permission: "roles.read", titleKey: "people.roles.title" },
      children: [
        { path: "new", component: () => import("./RolePanel.vue"), meta: { permission: "roles.write" } },
        { path: ":id(\\d+)", component: () => import("./RolePanel.vue") },
      ],
    },
    {
      path: "/people/departments",
      component: () => import("./DepartmentTree.vue"),
      meta: { permission: "departments.read", titleKey: "people.departments.title" },
      children: [
        { path: "new", component: () => import("./DepartmentPanel.vue"), meta: { permission: "departments.write" } },
        { path: ":id(\\d+)", component: () => import("./DepartmentPanel.vue") },
      ],
    },
  ],
  rail: [{ to: "/people", icon: Users, labelKey: "people.title", permission: "users.read", order: 220 }],
});

import { BookUser } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";
import { addFinder } from "@/frame/palette";
import { api } from "@/api/client";

addFinder(
  "contacts",
  async (text, signal) => {
    const found = await api.get("/api/contacts", { query: { search: text, per_page: 5 }, signal });
    return found.items.map((c) => ({ id: `contact-${c.id}`, label: c.name || c.company || (c.phones[0]?.number ?? ""), hint: c.company, icon: BookUser, to: `/contacts/${c.id}` }));
  },
  "contacts.read",
);

const READ = "contacts.read";
export default defineFeature({
  routes: [
    { path: "/contacts/duplicates", name: "contact-duplicates", component: () => import("./Duplicates.vue"), meta: { titleKey: "contacts.duplicates.title", permission: READ } },
    { path: "/contacts/files", name: "contact-files", component: () => import("./Files.vue"), meta: { titleKey: "contacts.files.title", permission: "contacts.import" } },
    {
      path: "/contacts",
      name: "contacts",
      component: () => import("./Contacts.vue"),
      meta: { titleKey: "contacts.title", permission: READ },
      children: [
        { path: "new", name: "contact-new", component: () => import("./ContactPanel.vue"), meta: { titleKey: "contacts.new", permission: "contacts.write" } },
        { path: ":id(\\d+)", name: "contact", component: () => import("./ContactPanel.vue"), props: true, meta: { titleKey: "contacts.contact", permission: READ } },
      ],
    },
  ],
  rail: [{ to: "/contacts", icon: BookUser, labelKey: "contacts.title", permission: READ, order: 22 }],
});

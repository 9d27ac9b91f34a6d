import { defineFeature } from "@/frame/feature";

const META = { titleKey: "text_reports.title", permission: "texts.reports" };

export default defineFeature({
  routes: [
    { path: "/texts/reports", name: "text-reports", component: () => import("./Reports.vue"), meta: META },
    { path: "/texts/reports/texts", name: "text-reports-texts", component: () => import("./ReportTexts.vue"), meta: META },
  ],
});

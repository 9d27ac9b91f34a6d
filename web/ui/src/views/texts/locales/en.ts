export default {
  texts: { title: "Texts" },
  permission_group: { texts: "Texts" },
  permission: {
    texts: {
      send: "Send texts",
      read: "See texts: their own and those of the people they may see",
      approve: "Pass or reject texts that wait for approval",
      templates: "Make templates and recurring texts",
      reports: "See reports of texts",
    },
  },
};

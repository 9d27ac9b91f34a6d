export default {
  texts: { title: "短信" },
  permission_group: { texts: "短信" },
  permission: {
    texts: {
      send: "发送短信",
      read: "查看短信：本人的，以及可见人员的",
      approve: "审批待审核的短信",
      templates: "维护模板和定期短信",
      reports: "查看短信报表",
    },
  },
};

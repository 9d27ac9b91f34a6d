export default {
  purse: { title: "余额" },
  permission_group: { purse: "余额" },
  permission: { purse: { read: "查看余额、充值和扣费", order: "提交充值订单" } },
};

export default {
  purse: { title: "Balance" },
  permission_group: { purse: "Balance" },
  permission: { purse: { read: "See balances, top-ups and deductions", order: "Order top-ups" } },
};

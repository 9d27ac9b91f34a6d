export default { settings: { text: "管理员设定一次、偶尔调整的内容。" } };

export default { settings: { text: "管理员设定一次、偶尔调整的内容。", none: "您的角色没有可用的设置" } };

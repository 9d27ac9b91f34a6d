export default { home: { hello: "当前用户：{name}" } };

export default {
  api_docs: {
    title: "API 文档",
    text: "其他系统可调用的全部接口及其参数和返回值。",
    search: "搜索",
    parts: "接口分类",
    parameters: "参数",
    body: "请求体",
    answer: "返回 {status}",
    no_fields: "返回 {status}，无字段。",
    field: "字段",
    kind: "类型",
    notes: "说明",
    required: "必填",
    in_person: "仅限登录页面后使用，不支持令牌。",
    public: "无需登录。",
  },
};

export default { settings: { text: "What an administrator sets once and changes now and then." } };

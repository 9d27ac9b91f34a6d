export default { sentences: {} };

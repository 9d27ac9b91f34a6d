export default { home: { hello: "Signed in as {name}" } };

// An app of Node that does one thing; prints its result, or its error, as JSON.
import { inspect } from "node:util";
import { connect } from "catfeeder-http";

const [url, key, what] = process.argv.slice(2);
const client = connect(url, key, { app: "shop" });
const hash = async (seconds) => {
  const answer = client.api.POST("/v1/passwords/hash", { body: { password: "secret words" } });
  return (await client.result(answer, seconds)).password_hash;
};
const verbs = {
  hash: async () => (await client.hashPassword("secret words")).password_hash,
  wait: () => hash(1),
  key: async () => (await client.api.POST("/v1/keys", { body: { name: "x", scopes: ["jobs"] } })).data,
};
const told = await verbs[what]().then(
  (result) => ({ result }),
  (error) => ({ error: error.code, permanent: error.permanent, shown: inspect(error) }),
);
console.log(JSON.stringify(told));

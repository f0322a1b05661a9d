// An app of Node that does what the test for Python does; prints what came of it as JSON.
import { connect, ProblemAnswered, StateMismatch, verifyWebhook, WebhookNotOurs } from "catfeeder-http";

const [url, key, returnTo, webhook, oldHash] = process.argv.slice(2);
const client = connect(url, key);
const told = {};

const { password_hash: hash } = await client.hashPassword("correct horse battery staple");
told.check = [await client.checkPassword("correct horse battery staple", hash), await client.checkPassword("wrong", hash)];

const password = "correct horse battery staple";
const login = await client.login(password, oldHash);
told.login = [
  login.valid,
  login.newHash.slice(0, 7),
  await client.login("wrong", oldHash),
  await client.login("wrong", null),
  (await client.login(password, oldHash, "argon2id")).newHash.slice(0, 14),
];
told.policy = (await client.checkPolicy(password, { user_inputs: ["Tabby"] })).acceptable;

let sent = 0;
const losing = async (request, init) => {
  const answer = await fetch(request, init);
  if (++sent === 1) throw new TypeError("the answer was lost");
  return answer;
};
await connect(url, key, { fetch: losing }).hashPassword("lost and found again");
told.sent = sent;

const begun = await client.beginSignIn("house", returnTo, { subject: "user-1" });
const consented = await fetch(begun.authorization_url, { method: "POST", body: new URLSearchParams({ sub: "alice" }), redirect: "manual" });
const callback = `${url}/v1/oauth/callback${new URL(consented.headers.get("Location")).search}`;
const relayed = await fetch(callback, { redirect: "manual" });
const query = new URL(relayed.headers.get("Location")).searchParams;
told.stranger = await client.finishSignIn(query, "another:house").catch((error) => error instanceof StateMismatch);
const connection = await client.finishSignIn(query, begun.state);
told.subject = connection.subject;
told.token = (await client.readConnectionToken(connection.id)).headers.Authorization.startsWith("Bearer ");

const { headers, body, key: webhookKey } = JSON.parse(webhook);
told.event = verifyWebhook(headers, body, webhookKey).kind;
try {
  verifyWebhook(headers, `${body} `, webhookKey);
} catch (error) {
  told.forged = error instanceof WebhookNotOurs;
}
const refused = await client.api.GET("/v1/connections/{connection_id}", { params: { path: { connection_id: "none" } } })
  .catch((error) => error);
told.refused = [refused instanceof ProblemAnswered, refused.status, refused.code, `${refused.stack}`.includes(key)];
console.log(JSON.stringify(told));

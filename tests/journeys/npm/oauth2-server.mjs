// @node-oauth/oauth2-server over node:http, with everything in memory. Prints its port once it listens.
import { createServer } from "node:http";
import OAuth2Server from "@node-oauth/oauth2-server";

const { Request, Response } = OAuth2Server;
const settings = JSON.parse(process.argv[2]);
const user = { sub: "jane", name: "Jane Doe", email: "jane@example.com" };
const codes = new Map();
const tokens = [];

const clients = settings.clients.map((client) => ({
  id: client.client_id,
  secret: client.client_secret,
  grants: ["authorization_code", "refresh_token"],
  redirectUris: [settings.redirect_uri],
}));
const named = (id) => clients.find((client) => client.id === id);
const by = (name, value) => tokens.find((token) => token[name] === value);
const drop = (token) => tokens.splice(tokens.indexOf(token), 1).length > 0;

const oauth = new OAuth2Server({
  requireClientAuthentication: { authorization_code: true, refresh_token: true },
  alwaysIssueNewRefreshToken: true,
  model: {
    getClient: (id, secret) => {
      const client = named(id);
      return client && (secret === null || client.secret === secret) ? client : null;
    },
    saveAuthorizationCode: (code, client) => {
      const whole = { ...code, client, user };
      codes.set(code.authorizationCode, whole);
      return whole;
    },
    getAuthorizationCode: (code) => codes.get(code),
    revokeAuthorizationCode: (code) => codes.delete(code.authorizationCode),
    saveToken: (token, client) => {
      const whole = { ...token, client, user };
      tokens.push(whole);
      return whole;
    },
    getAccessToken: (value) => by("accessToken", value),
    getRefreshToken: (value) => by("refreshToken", value),
    revokeToken: (token) => drop(by("refreshToken", token.refreshToken)),
    validateScope: (_user, _client, scope) => scope ?? ["profile"],
  },
});

async function perform(path, request, response) {
  if (path === "/authorize") {
    return oauth.authorize(request, response, { authenticateHandler: { handle: () => user } });
  }
  if (path === "/token") return oauth.token(request, response);
  if (path === "/revoke") {
    const found = by("refreshToken", request.body.token) ?? by("accessToken", request.body.token);
    if (found) drop(found);
    response.status = 200;
    return undefined;
  }
  await oauth.authenticate(request, response);
  response.body = user;
  return undefined;
}

const server = createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url, "http://127.0.0.1");
  const pieces = [];
  for await (const piece of incoming) pieces.push(piece);
  const request = new Request({
    method: incoming.method,
    headers: incoming.headers,
    query: Object.fromEntries(url.searchParams),
    body: Object.fromEntries(new URLSearchParams(Buffer.concat(pieces).toString())),
  });
  const response = new Response({ headers: {} });
  try {
    await perform(url.pathname, request, response);
  } catch (error) {
    if (!response.headers.location) {
      response.status = error.code ?? 500;
      response.body = { error: error.name, error_description: error.message };
    }
  }
  const headers = { ...response.headers, "content-type": "application/json" };
  outgoing.writeHead(response.status, headers).end(JSON.stringify(response.body ?? {}));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));

// oauth2orize over node:http, with everything in memory. Prints its port once it listens.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import oauth2orize from "oauth2orize";

const settings = JSON.parse(process.argv[2]);
const user = { sub: "jane", name: "Jane Doe", email: "jane@example.com" };
const clients = new Map(settings.clients.map((client) => [client.client_id, client]));
const codes = new Map();
const accessTokens = new Map();
const refreshTokens = new Map();
const fresh = () => randomBytes(24).toString("base64url");

function issue(clientId, scope, done) {
  const [access, refresh] = [fresh(), fresh()];
  accessTokens.set(access, { clientId });
  refreshTokens.set(refresh, { clientId, scope });
  // A renewal need not name the scope again (RFC 6749 section 5.1).
  done(null, access, refresh, { expires_in: 3600 });
}

const server = oauth2orize.createServer({ store: new Map() });
server.grant(
  oauth2orize.grant.code((client, redirectUri, _user, _granted, asked, done) => {
    const code = fresh();
    codes.set(code, { clientId: client.client_id, redirectUri, scope: asked.scope, challenge: asked.challenge });
    done(null, code);
  }),
);
// It leaves PKCE to its user.
server.grant("*", (request) => ({ challenge: request.query.code_challenge }));
server.exchange(
  oauth2orize.exchange.code((client, code, redirectUri, body, done) => {
    const known = codes.get(code);
    codes.delete(code);
    const digest = createHash("sha256").update(body.code_verifier ?? "").digest("base64url");
    const fits = known?.clientId === client.client_id && known.redirectUri === redirectUri;
    if (!fits || (known.challenge && known.challenge !== digest)) return done(null, false);
    return issue(client.client_id, known.scope, done);
  }),
);
server.exchange(
  oauth2orize.exchange.refreshToken((client, token, _scope, done) => {
    const known = refreshTokens.get(token);
    if (known?.clientId !== client.client_id) return done(null, false);
    refreshTokens.delete(token);
    return issue(client.client_id, known.scope, done);
  }),
);

// Its user authenticates the client as well, mostly by passport-http, which does not decode what
// RFC 6749 section 2.3.1 encodes.
function clientOf(request) {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? "");
  const [, id, secret] = basic
    ? /^([^:]*):(.*)$/.exec(Buffer.from(basic[1], "base64").toString())
    : [null, request.body.client_id, request.body.client_secret];
  const client = clients.get(id);
  const digest = (text) => createHash("sha256").update(text ?? "").digest();
  return client && timingSafeEqual(digest(client.client_secret), digest(secret)) ? client : null;
}

function finish(response, status, document) {
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(document));
}

const authorize = server.authorization(
  (clientId, redirectUri, done) => done(null, clients.get(clientId) ?? false, redirectUri),
  (_client, _user, done) => done(null, true),
);
const token = server.token();
const next = (request, response) => (error) =>
  error ? server.errorHandler()(error, request, response) : finish(response, 404, {});

createServer(async (request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  request.query = Object.fromEntries(url.searchParams);
  request.body = Object.fromEntries(new URLSearchParams(Buffer.concat(pieces).toString()));
  response.redirect = (location) => response.writeHead(302, { Location: location }).end();
  if (url.pathname === "/authorize") {
    request.user = user;
    return authorize(request, response, next(request, response));
  }
  if (url.pathname === "/userinfo") {
    const known = accessTokens.has((request.headers.authorization ?? "").replace("Bearer ", ""));
    return known ? finish(response, 200, user) : finish(response, 401, { error: "invalid_token" });
  }
  request.user = clientOf(request);
  if (!request.user) return finish(response, 401, { error: "invalid_client" });
  if (url.pathname === "/token") return token(request, response, next(request, response));
  accessTokens.delete(request.body.token);
  refreshTokens.delete(request.body.token);
  return finish(response, 200, {});
}).listen(0, "127.0.0.1", function () {
  console.log(this.address().port);
});

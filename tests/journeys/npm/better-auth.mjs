// better-auth with its OAuth provider, in memory, whose one user signs in by himself. Prints its port once it listens.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { oauthProvider } from "@better-auth/oauth-provider";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";

const settings = JSON.parse(process.argv[2]);
const user = { name: "Jane Doe", email: "jane@example.com", password: "of tests alone" };
const scopes = ["openid", "profile", "email", "offline_access"];
const tables = [
  "user", "session", "account", "verification", "jwks", "oauthClient", "oauthAccessToken", "oauthRefreshToken",
  "oauthConsent", "oauthResource", "oauthClientResource", "oauthClientAssertion",
];
const database = Object.fromEntries(tables.map((name) => [name, []]));
const digest = (text) => createHash("sha256").update(text).digest("base64url");

for (const client of settings.clients) {
  database.oauthClient.push({
    id: client.client_id,
    clientId: client.client_id,
    clientSecret: client.client_secret ? digest(client.client_secret) : null,
    tokenEndpointAuthMethod: client.token_endpoint_auth_method,
    public: !client.client_secret,
    redirectUris: [settings.redirect_uri],
    grantTypes: ["authorization_code", "refresh_token"],
    responseTypes: ["code"],
    scopes,
    skipConsent: true,
  });
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const auth = betterAuth({
    baseURL: origin,
    secret: "of-tests-alone-but-long-enough-0123456789",
    database: memoryAdapter(database),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [
      jwt({ disableSettingJwtHeader: true }),
      oauthProvider({
        loginPage: "/login",
        consentPage: "/consent",
        scopes,
        storeClientSecret: { hash: digest },
        silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
      }),
    ],
  });
  const answer = toNodeHandler(auth);
  const isKnown = auth.api.signUpEmail({ body: user });
  server.on("request", async (request, response) => {
    const url = new URL(request.url, origin);
    if (url.pathname === "/consent") {
      const agreed = await fetch(`${origin}/api/auth/oauth2/consent`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Cookie: request.headers.cookie, Origin: origin },
        body: JSON.stringify({ accept: true, oauth_query: url.search.slice(1) }),
      });
      return response.writeHead(302, { Location: (await agreed.json()).url }).end();
    }
    if (url.pathname !== "/login") return answer(request, response);
    await isKnown;
    const { headers } = await auth.api.signInEmail({ body: user, returnHeaders: true });
    const parameters = new URLSearchParams(url.search);
    for (const name of ["exp", "sig", "ba_iat", "ba_pl", "ba_param", "prompt"]) parameters.delete(name);
    response.writeHead(302, {
      Location: `${origin}/api/auth/oauth2/authorize?${parameters}`,
      "Set-Cookie": headers.getSetCookie(),
    });
    response.end();
  });
  console.log(server.address().port);
});

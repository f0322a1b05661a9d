// oidc-provider, which signs its one user in and consents by itself. Prints its port once it listens.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const settings = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: settings.clients.map((client) => ({
      ...client,
      redirect_uris: [settings.redirect_uri],
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
      response_types: ["code"],
    })),
    scopes: ["openid", "profile", "email", "offline_access"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: "Jane Doe", email: "jane@example.com", email_verified: true }),
    }),
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          audience: resource,
          scope: "read write",
          accessTokenFormat: "jwt",
        }),
      },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (context, form) => void (context.body = form),
        userCodeConfirmSource: (context, form) => void (context.body = form),
        successSource: (context) => void (context.body = "connected"),
      },
    },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    cookies: { keys: ["of tests alone"] },
    ttl: { AccessToken: 3600, Grant: 86400, IdToken: 3600, Interaction: 600, RefreshToken: 86400, Session: 600 },
  });
  const answer = provider.callback();
  const grants = [];
  server.on("request", async (request, response) => {
    // As where its user takes the consent back in the settings of their account.
    if (request.url === "/forget") {
      await Promise.all(grants.splice(0).map((grant) => grant.destroy()));
      return response.end();
    }
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === "login") {
      return provider.interactionFinished(request, response, { login: { accountId: "jane" } });
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope("openid profile email offline_access");
    for (const resource of [params.resource ?? []].flat()) grant.addResourceScope(resource, "read write");
    const consent = { grantId: await grant.save() };
    grants.push(grant);
    return provider.interactionFinished(request, response, { consent });
  });
  console.log(server.address().port);
});

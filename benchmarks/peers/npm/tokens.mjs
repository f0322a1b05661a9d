// better-auth with one user, whose account at a provider has an encrypted token in SQLite. Prints how to ask for it.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { symmetricEncrypt } from "better-auth/crypto";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { genericOAuth } from "better-auth/plugins";
import Database from "better-sqlite3";

const settings = JSON.parse(process.argv[2]);
const user = { name: "Ann Example", email: "ann@example.com", password: "of figures alone" };
const database = new Database(settings.file);
database.pragma("journal_mode = WAL");

const server = createServer();
server.listen(0, "127.0.0.1", async () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const auth = betterAuth({
    baseURL: origin,
    secret: "of-figures-alone-but-long-enough-0123456789",
    database,
    emailAndPassword: { enabled: true },
    account: { encryptOAuthTokens: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [
      genericOAuth({
        config: [
          {
            providerId: "instant",
            clientId: "client-of-figures",
            clientSecret: "a-secret-of-figures",
            authorizationUrl: `${settings.provider}/authorize`,
            tokenUrl: `${settings.provider}/token`,
            scopes: ["email"],
          },
        ],
      }),
    ],
  });
  await (await getMigrations(auth.options)).runMigrations();
  const { headers, response } = await auth.api.signUpEmail({ body: user, returnHeaders: true });
  const context = await auth.$context;
  const seal = (data) => symmetricEncrypt({ key: context.secretConfig, data });
  const account = await context.internalAdapter.createAccount({
    userId: response.user.id,
    providerId: "instant",
    accountId: "account",
    accessToken: await seal(settings.access_token),
    refreshToken: await seal(settings.refresh_token),
    accessTokenExpiresAt: new Date(Date.now() + settings.expires_in * 1000),
    scope: "email",
  });
  server.on("request", toNodeHandler(auth));
  const cookie = headers.getSetCookie().map((text) => text.split(";")[0]).join("; ");
  console.log(JSON.stringify({ port: server.address().port, origin, cookie, account: account.id }));
});

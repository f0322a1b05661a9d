// Express: login, callback and logout, with the client of `make sdk`.
//
// Sessions are those of express-session: the cookie holds a signed id, which is another one after
// each sign-in. Its store in memory is for one process; give it one of your database.

import express from "express";
import session from "express-session";

/** Return the app; `catfeeder` is what `connect` of catfeeder-http returns. */
export function createApp(catfeeder, provider, secret, ownUrl) {
  const app = express();
  // TLS ends at a proxy, which says so: without this no Secure cookie is set.
  app.set("trust proxy", 1);
  // Lax: the provider's redirect has to bring the cookie along.
  const cookie = { secure: true, httpOnly: true, sameSite: "lax", path: "/" };
  app.use(session({ name: "__Host-session", secret, cookie, resave: false, saveUninitialized: false }));

  app.get("/login", async (request, response) => {
    const begun = await catfeeder.beginSignIn(provider, `${ownUrl}/signed-in`);
    request.session.state = begun.state;
    response.redirect(303, begun.authorization_url);
  });

  app.get("/signed-in", async (request, response) => {
    const { state } = request.session;
    delete request.session.state;
    const query = new URL(request.originalUrl, ownUrl).searchParams;
    const connection = await catfeeder.finishSignIn(query, state);
    // A session that was there before the sign-in ends with it.
    await new Promise((resolve, reject) => {
      request.session.regenerate((error) => (error ? reject(error) : resolve()));
    });
    request.session.user = `${connection.provider}:${connection.profile.subject}`;
    response.redirect(303, "/");
  });

  // By POST alone, with SameSite=Lax: no other site can log the user out.
  app.post("/logout", (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.clearCookie("__Host-session", cookie).redirect(303, "/")));
  });
  app.all("/logout", (_request, response) => response.set("Allow", "POST").sendStatus(405));

  app.get("/", (request, response) => response.json({ user: request.session.user ?? null }));

  app.use((error, _request, response, next) => {
    // An error of the client has a code, and no secret in it.
    if (error.code === undefined || response.headersSent) return next(error);
    response.status(400).json({ code: error.code });
  });
  return app;
}

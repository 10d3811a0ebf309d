// The certified provider of npm, with the claims of Google or of Microsoft. Told by the environment:
//
// PEER_KIND       google | microsoft
// PEER_CLIENT     {"client_id", "client_secret", "redirect_uris"}
// PEER_ACCOUNTS   {"<name>": {claims of the ID token}}; sub is the name
// PEER_TENANT     microsoft: the directory whose issuer it is; /common describes it too, as Microsoft does
//
// Listens on a free port of 127.0.0.1 and prints its address in one line of JSON, then serves until it is ended.

import { createServer } from "node:http";
import Provider from "oidc-provider";

const { PEER_KIND, PEER_TENANT } = process.env;
const client = JSON.parse(process.env.PEER_CLIENT);
const accounts = JSON.parse(process.env.PEER_ACCOUNTS);
const microsoft = PEER_KIND === "microsoft";
const mount = microsoft ? `/${PEER_TENANT}/v2.0` : "";
const metadata = "/.well-known/openid-configuration";
const scopes = ["openid", "email", "profile", "offline_access", "calendar.read"];
const named = ["tid", "oid", "hd", "email", "email_verified", "xms_edov", "name"];

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  const provider = newProvider(`${base}${mount}`);
  const serve = provider.callback();
  server.on("request", (request, response) => answer(request, response, { base, provider, serve }).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  }));
  console.log(JSON.stringify({ base }));
});

function newProvider(issuer) {
  return new Provider(issuer, {
    clients: [{ ...client, token_endpoint_auth_method: "client_secret_post", grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] }],
    claims: { openid: ["sub", ...named] },
    conformIdTokenClaims: false,
    cookies: { keys: ["a key of the peer"], names: cookieNames() },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
    interactions: { url: (_, { uid }) => `${mount}/interaction/${uid}` },
    pkce: { required: () => true },
    scopes,
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, RefreshToken: 600, Session: 600 },
    loadExistingGrant: grantEverything,
  });
}

/** Cookies know no ports: two peers on one machine would take each other's. */
function cookieNames() {
  return Object.fromEntries(["session", "interaction", "resume"].map((use) => [use, `_${PEER_KIND}_${use}`]));
}

/** Whoever signs in has agreed already. */
async function grantEverything(ctx) {
  const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
  grant.addOIDCScope(scopes.join(" "));
  await grant.save();
  return grant;
}

async function answer(request, response, { base, provider, serve }) {
  const { pathname, searchParams } = new URL(request.url, base);
  if (microsoft && pathname === `/common/v2.0${metadata}`) return describeAllTenants(response, base);
  if (pathname.startsWith(`${mount}/interaction/`)) return interact(request, response, provider, searchParams);
  if (!pathname.startsWith(mount)) return response.writeHead(404).end();
  request.originalUrl = request.url; // as a framework that mounts it would
  request.url = request.url.slice(mount.length) || "/";
  return serve(request, response);
}

/** The metadata of /common: the endpoints of the directory, and an issuer with a place for it. */
async function describeAllTenants(response, base) {
  const told = await (await fetch(`${base}${mount}${metadata}`)).json();
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ ...told, issuer: `${base}/{tenantid}/v2.0` }));
}

/** A page with a link for each account, and one to refuse; the one that login_hint names goes on at once. */
async function interact(request, response, provider, chosen) {
  const { params } = await provider.interactionDetails(request, response);
  if (chosen.has("refuse")) return provider.interactionFinished(request, response, { error: "access_denied" });
  const accountId = chosen.get("account") ?? params.login_hint;
  if (accounts[accountId]) return provider.interactionFinished(request, response, { login: { accountId }, consent: {} });
  const links = Object.keys(accounts).map((name) => `<li><a href="?account=${encodeURIComponent(name)}">${name}</a></li>`);
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
  response.end(`<!doctype html><html lang="en"><title>${PEER_KIND}</title><link rel="icon" href="data:,"><h1>Choose an account</h1><ul>${links.join("")}</ul><p><a href="?refuse">Cancel</a></p></html>`);
}

// The one way to the server: public API only, cookies for the person, a header for the mandate, and one refresh per browser.

import { choices, offer, place, session, tellOtherTabs } from "./tab.js";
import { text } from "./texts.js";

const API = "/api/v1";
const EARLY = 15_000;
const RENEWAL = "mandate-renewal";

/** What people ask before they have signed in: no session is renewed for it, and its 401 speaks of what they showed. */
const OPEN = new RegExp(
  `^${API}/auth/(?:(?:methods|login|refresh|logout|register|[^/]+/login)$` +
    "|(?:password-reset|email|magic-link|second-factor|passkeys/sign-in)(?:/|$))",
);

/** A 401 with another code speaks of a proof that was shown, not of the session. */
const SESSION_OVER = ["unauthenticated", "invalid_token", "credential_conflict"];

/** A refusal (RFC 9457), or a server that did not answer. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || text("noAnswer"));
    this.status = status;
    this.code = problem.code;
    this.requestId = problem.request_id;
    this.places = problem.errors;
    this.problem = problem;
  }
}

/** The person changed their mind; there is nothing to show. */
export class Cancelled extends Error {}

let askWhoIsThere = async () => false;
let sayItIsOver = () => {};

/** Have `ask(factors)` called when an operation wants a recent sign-in. It answers whether the person proved it. */
export function onStepUp(ask) {
  askWhoIsThere = ask;
}

/** Have `say()` called when the session turns out to be over. */
export function onSessionOver(say) {
  sayItIsOver = say;
}

/** Call an operation of the gateway. Answers the parsed body, or null when there is none. Throws Refusal. */
export function call(method, path, body) {
  return request(method, `${API}${path}`, body);
}

/** Call any route of this server in the tab's mandate. What asks for a recent sign-in is called again after one. */
export async function request(method, path, body) {
  try {
    return await attempt(method, path, body);
  } catch (error) {
    if (error.code !== "step_up_required") throw error;
    if (!(await askWhoIsThere(error.problem.factors || []))) throw new Cancelled();
    return attempt(method, path, body);
  }
}

/** With a token renewed when it is about to run out, or has. */
async function attempt(method, path, body) {
  if (session.local || OPEN.test(path)) return parsed(await send(method, path, body));
  if (session.expires - EARLY < Date.now()) await renew(() => session.expires - EARLY >= Date.now());
  const asked = Date.now();
  try {
    return await parsed(await send(method, path, body));
  } catch (error) {
    if (!isOver(error) || !(await renew(() => session.renewed >= asked))) throw forgetting(error);
  }
  return parsed(await send(method, path, body)).catch((error) => {
    throw forgetting(error);
  });
}

function isOver(error) {
  return error.status === 401 && (SESSION_OVER.includes(error.code) || error.code === "http_401");
}

function forgetting(error) {
  if (isOver(error)) {
    session.forget();
    sayItIsOver();
  }
  return error;
}

/** Renew the session: one tab asks, and the others wait for it. False when the session is over. */
async function renew(isDone) {
  const outcome = await navigator.locks.request(RENEWAL, { ifAvailable: true }, async (lock) => {
    if (!lock) return "elsewhere";
    if (!session.known || isDone()) return session.known;
    const answer = await send("POST", `${API}/auth/refresh`);
    if (answer.ok) await parsed(answer);
    return answer.ok;
  });
  if (outcome !== "elsewhere") return outcome;
  await navigator.locks.request(RENEWAL, () => {}); // localStorage may not tell yet what the other tab has done
  return true;
}

/** Sign out here and in every other tab of this browser; `everywhere` ends the sessions of other devices, too. */
export async function signOut(everywhere = false) {
  try {
    await call("POST", everywhere ? "/auth/logout-all" : "/auth/logout");
  } catch (error) {
    if (everywhere) throw error; // the sessions stand, this one too
    throw forgetAll(error);
  }
  forgetAll();
}

function forgetAll(error) {
  place.leave();
  place.wanted = "";
  place.connecting = null;
  offer.forget();
  session.forget();
  tellOtherTabs("signed-out");
  return error;
}

async function send(method, path, body) {
  const headers = { Accept: "application/json", "Accept-Language": choices.language, "X-Requested-With": "console" };
  if (place.mandate) headers["X-Mandate-Id"] = place.mandate;
  if (place.mandate && place.instance) headers["X-Instance-Id"] = place.instance;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = body === undefined ? undefined : JSON.stringify(body);
  try {
    return await fetch(path, { method, headers, body: sent, credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Refusal(0, { code: "no_answer" });
  }
}

async function parsed(answer) {
  const content = answer.headers.get("Content-Type") || "";
  const body = answer.status !== 204 && content.includes("json") ? await answer.json() : null;
  if (answer.ok && body && body.access_expires_at) session.remember(lifetime(answer, body.access_expires_at));
  if (answer.ok) return body;
  throw new Refusal(answer.status, body || { code: `http_${answer.status}`, request_id: answer.headers.get("X-Request-Id") });
}

/** How long a token lasts, by the server's clock: this one's may be wrong. */
function lifetime(answer, expires) {
  return Date.parse(expires) - Date.parse(answer.headers.get("Date"));
}

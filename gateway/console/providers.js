// Signing in with a provider: the way there, and the pages its callback comes back to. The gateway does the rest.

import { call } from "./api.js";
import { adoptLanguage, returnPath, wantThisPage } from "./arrival.js";
import { action, element, form, note, sheet, way } from "./dom.js";
import { iconOf } from "./icons.js";
import { offer, place, session, tellOtherTabs } from "./tab.js";
import { hasText, text } from "./texts.js";

/** A way in for each provider of the installation; it opens a page, because the provider's is one. An `invitation` goes
 *  along in the body of a request, because no address may carry a secret. With `confirm` the provider asks the person anew. */
export function providerLinks(methods, { invitation, confirm } = {}) {
  return methods.filter((method) => method.kind === "provider").map((method) => {
    const words = [iconOf(method.name), text("signInWith", { name: method.display_name })];
    if (invitation) return action(words, () => leaveFor(method.login_path.replace("/api/v1", ""), { invitation }), { class: "quiet wide" });
    const href = `${method.login_path}?return_to=${encodeURIComponent(returnPath())}${confirm ? "&confirm=true" : ""}`;
    return element("a", { href, class: "button quiet wide", onclick: leaveOnce }, words);
  });
}

/** Go where `path` says; the button stays busy until the provider's page is there. */
export async function leaveFor(path, body) {
  const { url } = await call("POST", path, { return_to: returnPath(), ...body });
  return depart(url);
}

/** Open a provider's page; what asked for it stays busy until that is there. */
export function depart(url) {
  location.assign(url);
  return new Promise(() => {});
}

/** A second press of a link that is being followed begins nothing anew. */
function leaveOnce(event) {
  if (event.currentTarget.ariaDisabled === "true") event.preventDefault();
  event.currentTarget.ariaDisabled = "true";
}

/** The session is there already, as cookies; refreshing it tells this browser how long it lasts. `next` is where to go on. */
export async function drawSignedIn(next, draw) {
  const { user } = await call("POST", "/auth/refresh");
  adoptLanguage(user);
  place.leave();
  place.wanted = "";
  tellOtherTabs("signed-in");
  history.replaceState(null, "", `#/${next}`);
  await draw();
  return element("div");
}

export async function drawSignInError(code, draw) {
  if (place.connecting) { // no sign-in: an account was to be connected to the mandate of this tab
    place.connecting = { ...place.connecting, refused: code };
    history.replaceState(null, "", "#/connections");
    await draw();
    return element("div");
  }
  const name = `error_${code}`;
  return sheet(
    text(session.known ? "notConnected" : "signInFailed"),
    element("div", { class: "problem", role: "alert" }, element("p", {}, text(hasText(name) ? name : "error_unknown")), element("p", { class: "small" }, element("code", {}, code))),
    session.known ? way(text("toAccount"), "#/account") : element("p", { class: "submit" }, element("a", { href: "#/", class: "button wide" }, text("toSignIn"))),
  );
}

/** A sign-in that no account has waits in this browser: whoever is signed in may say that it is theirs. */
export async function drawConnectIdentity(_, draw, signIn) {
  if (!session.known) {
    offer.keep();
    wantThisPage();
    return signIn(draw, text("connectFirst"));
  }
  const [{ offered }, user] = await Promise.all([call("GET", "/auth/identities"), call("GET", "/users/me")]);
  if (!offered) {
    offer.forget();
    return sheet(text("connectTitle"), note(text("connectNothing")), way(text("goOn"), "#/"));
  }
  const { display_name: name, email, email_proven: proven } = offered;
  const connect = form(
    async () => {
      await call("POST", "/auth/identities");
      offer.forget();
      const done = note(text("connected", { name }));
      connect.replaceWith(done);
    },
    text("connect"),
    element("p", {}, text(email ? (proven ? "connectAsk" : "connectAskUnproven") : "connectAskUnnamed", { name, email })),
    element("p", { class: "small" }, text("connectAccount", { email: user.email })),
  );
  return sheet(text("connectTitle"), connect, element("p", { class: "way" }, element("a", { href: "#/", onclick: () => offer.forget() }, text("goOn"))));
}

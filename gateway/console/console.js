// The console: decides from the address and the session what to show, and shows it.

import { drawAccount } from "./account.js";
import { Refusal, call, onSessionOver, onStepUp } from "./api.js";
import { wantThisPage } from "./arrival.js";
import { drawConnections, listProviders } from "./connections.js";
import { drawContext, readContext } from "./context.js";
import { describe } from "./dom.js";
import { drawHeader } from "./header.js";
import { drawAccept, drawMagicLink, drawReset, drawTakeBack, drawVerify } from "./links.js";
import { drawMailSent } from "./mail-sent.js";
import { drawPicker, drawUnmetPolicy } from "./picker.js";
import { drawConnectIdentity, drawSignInError, drawSignedIn } from "./providers.js";
import { drawSecondFactor } from "./second-factor.js";
import { drawForgot, drawRegister, drawSignIn } from "./sign-in.js";
import { confirmItIsYou } from "./step-up.js";
import { choices, hearOtherTabs, place, session } from "./tab.js";
import { text } from "./texts.js";

const content = document.getElementById("content");

/** Pages anybody may see, by the first word of the address. The links of mails carry a secret as the second. */
const PAGES = {
  register: drawRegister,
  forgot: drawForgot,
  "mail-sent": drawMailSent,
  "magic-link": drawMagicLink,
  "second-factor": drawSecondFactor,
  "verify-email": drawVerify,
  "reset-password": drawReset,
  "take-back-email": drawTakeBack,
  invitation: drawAccept,
  "signed-in": drawSignedIn,
  "sign-in-error": drawSignInError,
  "connect-identity": (argument, redraw) => drawConnectIdentity(argument, redraw, drawSignIn),
};

/** The secrets of the links opened in this tab, by page: they stay in memory, not in the address or its history. */
const secrets = new Map();

let drawing = 0;

/** Draw the page anew. What an older drawing still waits for is not shown any more. */
async function draw(note) {
  const mine = ++drawing;
  const page = await compose(note).catch((error) => ({ signedIn: session.known, main: describe(error) }));
  if (mine !== drawing) return;
  const held = document.activeElement?.dataset.action;
  document.documentElement.lang = choices.language;
  document.documentElement.dataset.colours = choices.colours;
  document.getElementById("skip").textContent = text("skip");
  document.title = [page.title || page.main.querySelector("h1")?.textContent, document.documentElement.dataset.product].filter(Boolean).join(" · ");
  drawHeader({ ...page, redraw: draw });
  content.replaceChildren(page.main);
  if (held) document.querySelector(`[data-action="${held}"]`)?.focus(); // the button that asked for this
}

async function compose(note) {
  const asked = location.hash;
  const [name, argument, page] = asked.replace(/^#\/?/, "").split("/");
  const wanted = name === "m" ? page : name; // of the pages of a mandate
  if (wanted !== "connections" && name !== "sign-in-error") place.connecting = null;
  if (PAGES[name]) {
    const main = await PAGES[name](secretOf(name, argument), draw);
    return { signedIn: session.known, main };
  }
  const mandates = await listMandates();
  if (mandates === null) {
    place.leave();
    if (location.hash === asked) wantThisPage(); // it may be another by now
    return { main: await drawSignIn(draw, note) };
  }
  if (name === "m") place.enter((mandates.find((each) => each.slug === argument) || { id: "" }).id);
  const mandate = mandates.find((each) => each.id === place.mandate);
  if (!mandate) place.leave();
  if (name === "account") return { signedIn: true, mandate, main: await drawAccount(mandate, draw) };
  if (!mandate) return { signedIn: true, main: await drawPicker(mandates, draw, wanted === "connections" ? wanted : "") };
  return { signedIn: true, mandate, ...(await drawWork(mandate, wanted)) };
}

async function drawWork(mandate, wanted) {
  try {
    const context = await readContext();
    const providers = await listProviders(context);
    const page = { user: context.user, pages: providers.length ? ["connections"] : [], here: wanted };
    if (wanted === "connections") return { ...page, main: drawConnections(mandate, context, providers) };
    return { ...page, title: mandate.name, main: await drawContext(mandate, context, draw) };
  } catch (error) {
    if (error.code !== "login_method_not_allowed") throw error;
    return { title: mandate.name, main: await drawUnmetPolicy(mandate, error, draw) };
  }
}

/** Takes the secret of a link out of the address bar, where others look and whence it would be copied and kept. */
function secretOf(name, argument) {
  if (argument) {
    secrets.set(name, decodeURIComponent(argument));
    history.replaceState(null, "", `#/${name}`);
  }
  return secrets.get(name) || "";
}

/** The mandates this person may enter; null when nobody is signed in. In single-user mode nobody has to. */
async function listMandates() {
  if (!session.known) session.local = (await call("GET", "/auth/methods")).single_user;
  if (!session.known) return null;
  try {
    return (await call("GET", "/mandates")).items;
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return null;
    throw error;
  }
}

onStepUp(confirmItIsYou);
onSessionOver(() => draw());
hearOtherTabs((news) => draw(news === "signed-out" ? text("signedOutElsewhere") : undefined));
window.addEventListener("hashchange", async () => {
  content.focus();
  await draw();
  content.querySelector("[autofocus]")?.focus();
});
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  draw(); // back from a provider: what was busy is not any more
});
draw();

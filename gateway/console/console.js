// The console: decides from the address and the session what to show, and shows it.

import { Refusal, call } from "./api.js";
import { drawHeader } from "./header.js";
import { drawContext } from "./context.js";
import { describe, element } from "./dom.js";
import { drawAccept, drawMagicLink, drawTakeBack, drawVerify, drawReset } from "./links.js";
import { drawForgot, drawRegister, drawSignIn } from "./sign-in.js";
import { choices, hearOtherTabs, place, session } from "./tab.js";
import { text } from "./texts.js";

const content = document.getElementById("content");

/** Pages anybody may see, by the first word of the address. The links of mails carry a secret as the second. */
const PAGES = {
  register: drawRegister,
  forgot: drawForgot,
  "magic-link": drawMagicLink,
  "verify-email": drawVerify,
  "reset-password": drawReset,
  "take-back-email": drawTakeBack,
  invitation: drawAccept,
};

/** The secrets of the links opened in this tab, by page: they stay in memory, not in the address or its history. */
const secrets = new Map();

let drawing = 0;

/** Draw the page anew. What an older drawing still waits for is not shown any more. */
async function draw(note) {
  const mine = ++drawing;
  const page = await compose(note).catch((error) => ({ main: describe(error) }));
  if (mine !== drawing) return;
  document.documentElement.lang = choices.language;
  document.documentElement.dataset.colours = choices.colours;
  document.getElementById("skip").textContent = text("skip");
  document.title = [page.title, document.documentElement.dataset.product].filter(Boolean).join(" · ");
  drawHeader({ ...page, redraw: draw });
  content.replaceChildren(page.main);
}

async function compose(note) {
  const [name, argument] = location.hash.replace(/^#\/?/, "").split("/");
  if (PAGES[name]) return { main: await PAGES[name](secretOf(name, argument), draw) };
  const mandates = await listMandates();
  if (mandates === null) {
    place.leave();
    return { main: await drawSignIn(draw, note) };
  }
  if (name === "m") place.enter((mandates.find((each) => each.slug === argument) || { id: "" }).id);
  const mandate = mandates.find((each) => each.id === place.mandate);
  if (!mandate) {
    place.leave();
    return { signedIn: true, main: drawPicker(mandates) };
  }
  return { signedIn: true, mandate, title: mandate.name, ...(await drawContext(mandate, draw)) };
}

/** Takes the secret of a link out of the address bar, where others look and whence it would be copied and kept. */
function secretOf(name, argument) {
  if (argument) {
    secrets.set(name, decodeURIComponent(argument));
    history.replaceState(null, "", `#/${name}`);
  }
  return secrets.get(name) || "";
}

/** The mandates this person may enter; null when nobody is signed in. */
async function listMandates() {
  if (!session.known) return null;
  try {
    return (await call("GET", "/mandates")).items;
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return null;
    throw error;
  }
}

function drawPicker(mandates) {
  const cards = mandates.map((mandate) => {
    const card = element(
      "button",
      { class: "card", type: "button", onclick: () => goTo(`#/m/${mandate.slug}`) },
      mandate.name,
      element("span", { class: "small" }, mandate.slug),
    );
    card.style.setProperty("--mandate", mandate.color);
    return element("li", {}, card);
  });
  return element(
    "div",
    {},
    element("h1", {}, text("chooseMandate")),
    element("p", { class: "small" }, text(mandates.length ? "chooseHint" : "noMandate")),
    element("ul", { class: "cards" }, cards),
  );
}

function goTo(address) {
  if (location.hash === address) draw();
  else location.hash = address;
}

hearOtherTabs((news) => draw(news === "signed-out" ? text("signedOutElsewhere") : undefined));
window.addEventListener("hashchange", () => {
  draw();
  content.focus();
});
draw();

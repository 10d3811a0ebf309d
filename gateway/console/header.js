// The head of the page: where this tab works, in the mandate's name and colour, and the way out.

import { signOut } from "./api.js";
import { element } from "./dom.js";
import { choices, place, session } from "./tab.js";
import { text } from "./texts.js";

const COLOURS = ["auto", "light", "dark"];

/** Draw it for a tab in `mandate`, or in none. `pages` are those of the mandate that this person can use. */
export function drawHeader({ mandate, user, signedIn, pages = [], here, redraw }) {
  const root = document.documentElement;
  if (mandate) root.style.setProperty("--mandate", mandate.color);
  else root.style.removeProperty("--mandate");
  document.getElementById("header").replaceChildren(
    element("span", { class: "where" }, mandate ? element("span", { class: "dot" }) : "", mandate ? mandate.name : root.dataset.product),
    user ? element("span", { class: "who" }, user.display_name || user.email) : "",
    ...pages.map((page) => link(page, `#/m/${mandate.slug}/${page}`, page === here)),
    mandate ? button("anotherMandate", () => leave(redraw)) : "",
    signedIn ? link("account", "#/account") : "",
    signedIn && !session.local ? button("signOut", () => signOut().finally(() => leave(redraw))) : "",
    button("language", () => {
      choices.language = choices.language === "de" ? "en" : "de";
      redraw();
    }),
    button("colours", () => {
      choices.colours = COLOURS[(COLOURS.indexOf(choices.colours) + 1) % COLOURS.length];
      redraw();
    }, { colours: text(choices.colours) }),
  );
}

function leave(redraw) {
  place.leave();
  history.pushState(null, "", "#/");
  redraw();
}

function link(name, href, isHere) {
  return element("a", { class: "button quiet", href, "data-action": name, "aria-current": isHere ? "page" : null }, text(name));
}

function button(name, onclick, values) {
  return element("button", { class: "quiet", type: "button", onclick, "data-action": name }, text(name, values));
}

// Showing one factor: the form of one at a time, and buttons for the others. For the end of a sign-in, and to confirm
// that it is you.

import { element, field, form } from "./dom.js";
import { text } from "./texts.js";

const ORDER = ["totp", "passkey", "password", "backup_code"];

const CODES = {
  totp: () => field(text("totpCode"), { name: "totp", class: "code", inputmode: "numeric", autocomplete: "one-time-code", pattern: "[0-9]{3} ?[0-9]{3}", maxlength: 7, autofocus: true }, text("totpHint")),
  backup_code: () => field(text("backupCode"), { name: "backup_code", class: "code", autocomplete: "off", spellcheck: "false", autocapitalize: "off", maxlength: 40, autofocus: true }, text("backupHint")),
  password: () => field(text("password"), { name: "password", type: "password", autocomplete: "current-password", autofocus: true }),
};

const INSTEAD = { totp: "insteadTotp", backup_code: "insteadBackup", password: "insteadPassword", passkey: "insteadPasskey" };

/** `prove({name: value})` shows what was typed, `passkey()` a passkey; `finish(answer)` goes on. */
export function factorChoice(factors, { prove, passkey, finish, label }) {
  const known = ORDER.filter((name) => factors.includes(name));
  const made = element("div", { class: "factors" });
  const show = (chosen) => {
    const others = known.filter((name) => name !== chosen);
    made.replaceChildren(
      chosen === "passkey"
        ? form(async () => finish(await passkey()), text("usePasskey"), element("p", {}, text("passkeyHint")))
        : form(async (values) => finish(await prove(withoutBlanks(values))), label, CODES[chosen]()),
      others.length
        ? element("ul", { class: "instead" }, others.map((name) => element("li", {}, element("button", { type: "button", class: "link", onclick: () => choose(name) }, text(INSTEAD[name])))))
        : "",
    );
  };
  const choose = (name) => {
    show(name);
    (made.querySelector("input") || made.querySelector("button")).focus();
  };
  show(known[0]);
  return made;
}

/** Apps show their codes with a blank in the middle. */
function withoutBlanks(values) {
  return values.totp ? { totp: values.totp.replaceAll(" ", "") } : values;
}

// Modal dialogs: Escape closes them, the focus stays inside and goes back to where it was.

import { action, element, form } from "./dom.js";
import { text } from "./texts.js";

let dialogs = 0;

/** Open a dialog. `content` is called with a function that closes it with an answer; closing otherwise answers null. */
export function openDialog(title, content, { closing = text("cancel") } = {}) {
  const id = `dialog-${++dialogs}`;
  const opener = document.activeElement;
  return new Promise((resolve) => {
    const close = (answer = null) => {
      resolve(answer);
      made.close();
    };
    const shut = element("button", { type: "button", class: "quiet", onclick: () => close() }, closing);
    const made = element(
      "dialog",
      { "aria-labelledby": id },
      element("h2", { id, tabindex: "-1" }, title),
      element("div", { class: "content" }, content(close)),
      element("div", { class: "closing" }, shut),
    );
    made.addEventListener("close", () => {
      resolve(null); // no more than the first answer counts
      made.remove();
      if (opener?.isConnected) opener.focus();
    });
    document.body.append(made);
    made.showModal();
    (made.querySelector("input, select, textarea") || made.querySelector("button")).focus();
  });
}

/** Ask with a form; `submit(values)` does it, and the dialog closes with its answer when that went well. */
export function askForm(title, label, submit, ...children) {
  return openDialog(title, (close) => form(async (values) => close((await submit(values)) ?? true), label, children));
}

/** Ask before something is done that cannot be undone. */
export function askSure(title, sentence, label, run) {
  return openDialog(title, (close) => [
    element("p", {}, sentence),
    element("div", { class: "submit" }, action(label, async () => close((await run()) ?? true), { class: "grave" })),
  ]);
}

/** Show a secret that is never shown again. */
export function showOnce(title, ...children) {
  return openDialog(title, () => children, { closing: text("done") });
}

/** A button that copies `words`. */
export function copyButton(words) {
  const button = action(text("copy"), async () => {
    await navigator.clipboard.writeText(words);
    button.textContent = text("copied");
  });
  return button;
}

// The rows of the example application (examples/invoices), drawn where a host has declared its items.

import { request } from "./api.js";
import { element, field, form } from "./dom.js";
import { text } from "./texts.js";

/** The mandate's invoices, as far as this person's rights reach; a field they may not read has no value. */
export function drawInvoices(context, level) {
  return drawRows(context, {
    title: text("invoices"),
    id: "invoices",
    path: "/invoices",
    columns: [
      ["number", text("number")],
      ["customer", text("customer")],
      ["amount", text("amount"), "number"],
      ["margin", text("margin"), "number"],
    ],
    fields: [
      field(text("number"), { name: "number", maxlength: 40 }),
      field(text("customer"), { name: "customer", maxlength: 120 }),
      field(text("amount"), { name: "amount", inputmode: "decimal" }),
    ],
    mayCreate: level("invoices", "create") !== "none",
    deletes: level("invoices", "delete"),
  });
}

/** The petty cash of the instance this tab has chosen. */
export function drawPettyCash(context, level) {
  return drawRows(context, {
    title: `${text("pettyCash")}: ${context.instance.name}`,
    id: "petty-cash",
    path: "/petty-cash",
    columns: [
      ["purpose", text("purpose")],
      ["amount", text("amount"), "number"],
    ],
    fields: [
      field(text("purpose"), { name: "purpose", maxlength: 120 }),
      field(text("amount"), { name: "amount", inputmode: "decimal" }),
    ],
    mayCreate: level("petty-cash", "create") !== "none",
    deletes: level("petty-cash", "delete"),
  });
}

async function drawRows(context, table) {
  const section = element("section", { id: table.id });
  const redraw = async () => section.replaceChildren(...(await drawTable(context, table, redraw)));
  await redraw();
  return section;
}

async function drawTable(context, table, redraw) {
  const { items } = await request("GET", table.path);
  const columns = [...table.columns.map(([, label, kind]) => [label, kind]), [text("owner")], [""]];
  const head = columns.map(([label, kind]) => element("th", { scope: "col", class: kind }, label));
  const rows = items.map((row) => drawRow(context, table, row, redraw));
  const add = async (values, made) => {
    await request("POST", table.path, values);
    made.reset();
    await redraw();
  };
  return [
    element("h2", {}, table.title),
    items.length
      ? element("div", { class: "scroll", tabindex: "0" }, element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)))
      : element("p", { class: "small" }, text("empty")),
    table.mayCreate ? form(add, text("add"), element("div", { class: "row" }, table.fields)) : "",
  ];
}

function drawRow(context, table, row, redraw) {
  const cells = table.columns.map(([name, , kind]) => element("td", { class: kind }, row[name] ?? "–"));
  const remove = element("button", { type: "button", class: "quiet", "aria-label": `${text("remove")} ${row[table.columns[0][0]]}` }, text("remove"));
  const mistakes = element("span", { role: "alert" });
  remove.addEventListener("click", async () => {
    try {
      await request("DELETE", `${table.path}/${row.id}`);
      await redraw();
    } catch (error) {
      mistakes.replaceChildren(element("span", { class: "problem" }, `${error.message} (${error.code} · ${error.requestId})`));
    }
  });
  const mine = row.owner_id === context.user.id;
  const mayDelete = mine ? table.deletes !== "none" : ["group", "all"].includes(table.deletes);
  const owner = element("td", { class: "small" }, text(mine ? "mine" : "somebody"));
  return element("tr", {}, cells, owner, element("td", {}, mayDelete ? remove : "", mistakes));
}

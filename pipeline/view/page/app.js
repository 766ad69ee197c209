// Which page is shown, by the address, and the keys.

import { exported } from "./data.js";
import { h, to } from "./dom.js";
import { context, problems, records, runs } from "./lists.js";
import { compare, labels, record, repeated, run, training } from "./pages.js";

const main = document.getElementById("main");
const said = document.getElementById("said");
const help = document.getElementById("help");

// The token has let this page in: it is of no use any more, and no history keeps it.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  const given = new URLSearchParams(query);
  const [top, name, third, fourth] = parts;
  const crumbs = name ? [[name, to(["run", name])]] : [];
  if (top === "compare") return { page: () => compare(given.getAll("run")), crumbs: [["compared", location.hash]], title: "compared" };
  if (top !== "run" || !name) return { page: runs, crumbs: [], title: "runs" };
  if (!third) return { page: () => run(name), crumbs, up: "#/", title: name };
  const own = { problems: () => problems(name, given), training: () => training(name), labels: () => labels(name) };
  if (third in own && !fourth) return { page: own[third], crumbs: [...crumbs, [third, to(["run", name, third])]], up: to(["run", name]), title: `${third} · ${name}` };
  if (third === "record") {
    const up = context.run === name && context.up ? context.up : to(["run", name]);
    return { page: () => record(name, fourth || ""), crumbs: [...crumbs, ["list", up], [(fourth || "").slice(0, 12), location.hash]], up, title: `${(fourth || "").slice(0, 12)} · ${name}`, id: fourth };
  }
  return { page: () => records(name, third, fourth || "kept", given), crumbs: [...crumbs, [`${third} ${fourth || "kept"}`, to(["run", name, third, fourth || "kept"])]], up: to(["run", name]), title: `${third} · ${name}` };
}

let shown = 0;
let here = null;

async function show() {
  const mine = ++shown;
  here = route();
  clearInterval(repeated.timer);
  document.title = `${here.title} · Hornbook`;
  document.getElementById("crumbs").replaceChildren(...here.crumbs.map(([text, href], n) =>
    h("span", {}, h("a", { href, "aria-current": n === here.crumbs.length - 1 ? "page" : null }, text))));
  main.setAttribute("aria-busy", "true");
  try {
    const page = await here.page();
    if (mine !== shown) return;
    const holder = h("div", {}, page);
    main.replaceChildren(...holder.childNodes);
    said.textContent = document.title;
    scrollTo(0, 0);
  } catch (problem) {
    if (mine !== shown) return;
    main.replaceChildren(h("h1", {}, "This cannot be shown"), h("p", {}, problem.message), h("p", {}, h("a", { href: "#/" }, "All runs")));
  } finally {
    if (mine === shown) main.removeAttribute("aria-busy");
  }
}

function step(by) {
  if (here.id) {
    const next = context.ids[context.ids.indexOf(here.id) + by];
    if (context.run && next) location.hash = to(["run", context.run, "record", next]);
    return;
  }
  const rows = [...main.querySelectorAll("[data-row]")];
  const place = rows.indexOf(document.activeElement);
  const next = rows[place < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, place + by))];
  if (next) {
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  const field = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (field) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const keyed = main.querySelector(`[data-key="${CSS.escape(event.key)}"], [data-turn="${CSS.escape(event.key)}"]`);
  const search = document.getElementById("search");
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "u" && here.up) location.hash = here.up;
  else if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "?") help.showModal();
  else if (keyed) keyed.click();
});

document.getElementById("keys").addEventListener("click", () => help.showModal());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", show);
document.documentElement.classList.toggle("exported", exported);
show();

// Lists: all runs, the records of a stage, the problems of a benchmark.

import { ask, exported } from "./data.js";
import { dollars, duration, h, number, percent, to } from "./dom.js";
import { block, textOf } from "./text.js";

export const ROWS = 50;

// The list that a record was opened from, so that its neighbours are a key away. rows: ids.
export const context = { run: "", ids: [], up: "" };

export function score(one) {
  if (one["pass@1"] === null || one["pass@1"] === undefined) return "–";
  const [low, high] = one.interval || [];
  return h("span", { title: low === undefined ? null : `95% interval ${percent(low)} to ${percent(high)}, ${one.problems} problems` },
    percent(one["pass@1"]));
}

// What a run's own network is called among its scores.
const STUDENTS = ["after", "distilled", "self-distilled"];

const base = (name) => name.split("/").pop().replace(/\.jsonl?(\.gz)?$/, "");

export async function runs() {
  const found = await ask("runs");
  if (!found.length) return [h("h1", {}, "Runs"), h("p", {}, "There is no run yet: ", h("code", {}, "hornbook run first-run"), " makes one.")];
  const form = h("form.compare", {
    onsubmit(event) {
      event.preventDefault();
      const names = [...form.querySelectorAll("input:checked")].map((box) => box.value);
      if (names.length) location.hash = "#/compare?" + new URLSearchParams(names.map((name) => ["run", name]));
    },
  });
  const rows = found.map((run) => {
    const scored = run.scores || [];
    const model = STUDENTS.find((name) => scored.some((one) => one.model === name));
    const after = scored.filter((one) => one.model === model);
    return h("tr", {},
      h("td.check", {}, h("input", { type: "checkbox", value: run.name, "aria-label": `compare ${run.name}` })),
      h("td", {}, h("a", { href: to(["run", run.name]), "data-row": true }, run.name), h("div.soft.small", {}, run.recipe)),
      h("td", {}, state(run.state), h("div.soft.small", {}, `${run.finished} of ${run.stages} stages`)),
      h("td", {}, after.length
        ? after.map((one) => h("div", {}, score(one), " ", h("span.soft.small", {}, base(one.benchmark))))
        : h("span.soft", {}, "no score")),
      h("td.n.wide", {}, run.cost ? dollars(run.cost.usd) : "–"),
      h("td.n.wide", {}, duration(run.seconds)),
      h("td.n.wide", {}, size(run.bytes)),
      h("td.n.soft.small", {}, (run.called || "").slice(0, 16).replace("T", " ")),
    );
  });
  form.append(
    h("div.scroll", {}, h("table.rows", {},
      h("caption.sr", {}, "Runs, the one called last first"),
      h("thead", {}, h("tr", {}, h("th", {}, h("span.sr", {}, "compare")), h("th", {}, "run"), h("th", {}, "state"), h("th", {}, "pass@1 after"),
        h("th.n.wide", {}, "cost"), h("th.n.wide", {}, "time"), h("th.n.wide", {}, "size"), h("th.n", {}, "called, UTC"))),
      h("tbody", {}, rows))),
    h("p.below", {}, h("button", {}, "Compare the ticked runs")),
  );
  return [h("h1", {}, "Runs"), form];
}

export const state = (text) => h("span.state." + (/^[a-z-]+$/.test(text) ? "is-" + text : "is-other"), {}, text);

function size(bytes) {
  for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) if (bytes >= unit) return (bytes / unit).toFixed(1) + " " + name;
  return bytes + " B";
}

const FACETS = ["reason", "type", "teacher", "topic", "audience", "kind", "form", "model", "benchmark", "group", "verdict",
  "passed", "judged", "finish_reason", "licence", "test_owner", "template"];

export async function records(name, stage, kind, given) {
  const offset = +given.get("offset") || 0;
  const path = ["run", name, stage, kind];
  const asked = [...given].filter(([key]) => key !== "offset");
  const [page, filters] = await Promise.all([
    ask("records", name, stage, kind, [...asked, ["offset", offset], ["limit", ROWS]]),
    ask("facets", name, stage, kind),
  ]);
  const go = (changes) => {
    const next = { ...Object.fromEntries(asked), ...changes };
    location.hash = to(path, next);
  };
  const search = h("input", {
    type: "search", name: "q", id: "search", value: given.get("q") || "", placeholder: "any words, or the beginning of an id",
    "aria-label": "Search in all texts",
  });
  const bar = h("form.filters", { role: "search", onsubmit(event) { event.preventDefault(); go({ q: search.value }); } },
    h("label.search", {}, h("span", {}, "search"), search),
    FACETS.filter((facet) => filters.facets[facet] || given.get(facet)).map((facet) =>
      select(facet, given.get(facet) || "", filters.facets[facet] || [], (value) => go({ [facet]: value }))),
    select("label", given.get("label") || "", [["good"], ["bad"], ["note"], ["any"]], (value) => go({ label: value })),
    filters.valued && ["low", "high"].map((end) => h("label", {}, h("span", {}, end === "low" ? "value from" : "to"),
      h("input", { type: "number", min: 0, max: 1, step: 0.05, value: given.get(end) || "", onchange: (event) => go({ [end]: event.target.value }) }))),
    h("button", {}, "Search"),
    asked.length > 0 && h("a.small", { href: to(path) }, "clear all"));
  context.run = name;
  context.ids = page.rows.map((row) => row.id);
  context.up = location.hash;
  const list = h("ol.records", { start: offset + 1 }, page.rows.map((row) => entry(name, row, kind)));
  const what = page.matched === page.total ? number(page.total) : `${number(page.matched)} of ${number(page.total)}`;
  const title = [h("h1", {}, stage, " ", h("span.soft", {}, kind)),
    h("p.soft", { id: "count" }, `${what} ${kind === "spans" ? "spans" : "records"}`, page.searching ? ` (${page.searching})` : "")];
  return [title, bar, page.rows.length ? list : h("p.empty", {}, "No record fits."), pager(path, asked, offset, page.matched)];
}

function select(name, value, options, changed) {
  const box = h("select", { onchange: () => changed(box.value) }, h("option", { value: "" }, "any"),
    (options.some(([one]) => one === value) || !value ? options : [[value], ...options]).map(([one, count]) =>
      h("option", { value: one }, count === undefined ? one : `${one} (${number(count)})`)));
  box.value = value;
  return h("label", {}, h("span", {}, name.replace("_", " ")), box);
}

function pager(path, asked, offset, matched) {
  const link = (place, text, key) =>
    place >= 0 && place < matched && place !== offset
      ? h("a", { href: to(path, { ...Object.fromEntries(asked), offset: place || "" }), "data-turn": key }, text)
      : h("span.soft", {}, text);
  const last = Math.max(0, Math.floor((matched - 1) / ROWS) * ROWS);
  return h("nav.pager", { "aria-label": "Pages" }, link(0, "first"), link(offset - ROWS, "previous", "p"),
    h("span", {}, matched ? `${number(offset + 1)} to ${number(Math.min(offset + ROWS, matched))} of ${number(matched)}` : "0"),
    link(offset + ROWS, "next", "n"), link(last, "last"));
}

const VERDICTS = { true: "pass", false: "fail" };

export function tags(row) {
  const found = [];
  if (row.reason) found.push(h("span.tag.fail", {}, row.reason));
  if ("passed" in row && row.type === "score")
    found.push(h("span.tag." + (VERDICTS[row.passed] || "open"), {}, row.passed === null ? "unscored" : row.verdict));
  if (row.label) found.push(h("span.tag." + ({ good: "pass", bad: "fail" }[row.label.label] || "open"), {}, row.label.label || "note"));
  return found;
}

const ABOUT = ["teacher", "topic", "audience", "origin", "licence", "model", "benchmark", "task_id", "group"];

function entry(name, row, kind) {
  const seed = row.seed || {};
  const about = ABOUT.map((key) => row[key] || seed[key]).filter((one) => typeof one === "string" && one);
  const text = textOf(row).trim().slice(0, 400).split("\n").slice(0, 3).join("\n");
  const value = typeof row.value === "number" ? `value ${row.value.toFixed(2)}` : "";
  return h("li", {}, h("a", { href: to(["run", name, "record", row.id]), "data-row": true },
    h("span.meta", {}, tags(row), row.type && h("b", {}, row.type), about.map((one) => h("span", {}, one)), value && h("span", {}, value),
      h("code.id", {}, row.id.slice(0, 12))),
    kind === "dropped" && row.detail && h("span.detail", {}, row.detail.slice(0, 300)),
    h("code.excerpt", {}, text || " ")));
}

const CHANGES = { gained: "won: failed before, passes after", lost: "lost: passed before, fails after", solved: "solved", failed: "not solved", unscored: "could not be scored" };

export async function problems(name, given) {
  const every = await ask("problems", name);
  if (!every.length) return [h("h1", {}, "Problems"), h("p.empty", {}, "Nothing was scored yet.")];
  const [change, benchmark, verdict, q] = ["change", "benchmark", "verdict", "q"].map((key) => given.get(key) || "");
  const low = q.toLowerCase();
  const fits = (one) =>
    (!change || one.change === change) && (!benchmark || one.benchmark === benchmark) &&
    (!verdict || one.answers.some((answer) => answer.verdict === verdict)) &&
    (!q || [one.task_id, one.prompt, ...one.answers.flatMap((a) => [a.text, a.detail])].some((text) => text.toLowerCase().includes(low)));
  const found = every.filter(fits);
  const offset = +given.get("offset") || 0;
  const path = ["run", name, "problems"];
  const asked = [...given].filter(([key]) => key !== "offset");
  const go = (changes) => { location.hash = to(path, { ...Object.fromEntries(asked), ...changes }); };
  const counts = (values) => Object.entries(values.reduce((all, one) => ({ ...all, [one]: (all[one] || 0) + 1 }), {}));
  const search = h("input", { type: "search", id: "search", value: q, "aria-label": "Search in problems and answers", placeholder: "task, code or error" });
  const changes = counts(every.map((one) => one.change));
  const bar = h("form.filters", { role: "search", onsubmit(event) { event.preventDefault(); go({ q: search.value }); } },
    h("label.search", {}, h("span", {}, "search"), search),
    select("change", change, changes, (value) => go({ change: value })),
    select("benchmark", benchmark, counts(every.map((one) => one.benchmark)), (value) => go({ benchmark: value })),
    select("verdict", verdict, counts(every.flatMap((one) => [...new Set(one.answers.map((a) => a.verdict))])), (value) => go({ verdict: value })),
    h("button", {}, "Search"), asked.length > 0 && h("a.small", { href: to(path) }, "clear all"));
  const chips = h("p.chips", {}, Object.keys(CHANGES).filter((key) => changes.some(([one]) => one === key)).map((key) =>
    h("a.chip", { href: to(path, { change: key }), "aria-current": change === key ? "true" : null },
      `${key === "gained" ? "won" : key} ${changes.find(([one]) => one === key)[1]}`)));
  return [h("h1", {}, "Problems"), chips, bar, h("p.soft", { id: "count" }, `${number(found.length)} of ${number(every.length)} problems`),
    found.slice(offset, offset + 20).map((one) => problem(name, one)), pagerOf(path, asked, offset, found.length)];
}

function pagerOf(path, asked, offset, matched) {
  const link = (place, text, key) => place >= 0 && place < matched && place !== offset
    ? h("a", { href: to(path, { ...Object.fromEntries(asked), offset: place || "" }), "data-turn": key }, text) : h("span.soft", {}, text);
  return h("nav.pager", { "aria-label": "Pages" }, link(offset - 20, "previous", "p"),
    h("span", {}, `${number(Math.min(offset + 1, matched))} to ${number(Math.min(offset + 20, matched))} of ${number(matched)}`), link(offset + 20, "next", "n"));
}

function problem(name, one) {
  return h("section.problem", {},
    h("h2", {}, one.task_id, " ", h("span.soft", {}, one.group), " ", h("span.tag." + ({ gained: "pass", solved: "pass", unscored: "open" }[one.change] || "fail"), {}, CHANGES[one.change])),
    block(one.prompt, "python", "the problem"),
    h("div.answers", {}, one.answers.map((answer) => h("div.answer." + (VERDICTS[answer.passed] || "open"), {},
      h("p.meta", {}, h("b", {}, answer.model), h("span.tag." + (VERDICTS[answer.passed] || "open"), {}, answer.passed === null ? "unscored" : answer.verdict),
        h("a", { href: to(["run", name, "record", answer.score_id]) }, "trace")),
      answer.detail && h("p.detail", {}, answer.detail),
      block(answer.text, "python", `answer of ${answer.model}`)))));
}

export const writable = !exported;

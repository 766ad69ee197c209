// Pages of one run, of one record, of several runs side by side.

import { chart } from "./charts.js";
import { ask, exported } from "./data.js";
import { dollars, duration, h, number, percent, to } from "./dom.js";
import { context, score, state, tags } from "./lists.js";
import { block, differenceBlock, languageOf, textOf } from "./text.js";

// What a page does again and again while it is shown; the router ends it.
export const repeated = { timer: 0 };

function again(seconds, what) {
  clearInterval(repeated.timer);
  if (exported) return;
  repeated.timer = setInterval(() => document.visibilityState === "visible" && what(), seconds * 1000);
}

export async function run(name) {
  const found = await ask("run", name);
  const place = h("div", { id: "walk" });
  const draw = (status) => place.replaceChildren(walk(name, found, status));
  draw(found.status);
  const head = h("p.headline", {}, state(found.status.state), " ", h("span.soft", {}, `recipe ${found.status.recipe || "–"} · ${duration(found.status.seconds)}`));
  if (found.status.state === "running")
    again(2, async () => {
      const status = await ask("status", name);
      draw(status);
      if (status.state !== "running") dispatchEvent(new HashChangeEvent("hashchange"));
    });
  const { report } = found;
  const scores = report.scores || [];
  return [
    h("h1", {}, name), head, report.description && h("p", {}, report.description),
    found.stopped && h("div.notice", {}, h("b", {}, "Stopped"), found.stopped.stage ? ` in ${found.stopped.stage}: ` : ": ", found.stopped.message,
      found.stopped.hint && h("div.soft", {}, found.stopped.hint)),
    h("nav.tabs", { "aria-label": "Parts of the run" },
      h("a", { href: to(["run", name, "problems"]) }, "problems"), h("a", { href: to(["run", name, "training"]) }, "training"),
      h("a", { href: to(["run", name, "labels"]) }, `labels (${found.labels})`)),
    scores.length > 0 && [h("h2", {}, "Scores"), scoreTable(name, scores)],
    h("h2", {}, "Walk"), place,
    h("div.pair", {}, teachers(report), places(found)),
    found.recipe && h("details", {}, h("summary", {}, "The recipe, with every setting"), block(found.recipe, "", "the recipe")),
  ];
}

function scoreTable(name, scores) {
  return h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "benchmark"), h("th", {}, "model"), h("th.n", {}, "pass@1"), h("th.n", {}, "95% interval"), h("th.n", {}, "problems"))),
    h("tbody", {}, scores.map((one) => h("tr", {}, h("td", {}, h("a", { href: to(["run", name, "problems"], { benchmark: one.benchmark }) }, one.benchmark)), h("td", {}, one.model),
      h("td.n", {}, score(one)), h("td.n", {}, one.interval ? `${percent(one.interval[0])} – ${percent(one.interval[1])}` : "–"), h("td.n", {}, number(one.problems)))))));
}

function walk(name, found, status) {
  const widest = Math.max(1, ...status.stages.map((stage) => Math.max(stage.in, stage.kept)));
  const rows = status.stages.map((stage) => {
    const about = found.stages[stage.name] || { caption: "", reasons: {} };
    const gone = Object.values(stage.dropped).reduce((a, b) => a + b, 0);
    const lists = found.lists[stage.name] || [];
    const linked = (kind, count, given) => (lists.includes(kind) && count ? h("a", { href: to(["run", name, stage.name, kind], given) }, number(count)) : number(count));
    const bar = h("div.bar", { "aria-hidden": "true" }, h("i"), h("i.gone"));
    bar.children[0].style.width = `${(100 * stage.kept) / widest}%`;
    bar.children[1].style.width = `${(100 * gone) / widest}%`;
    const counted = stage.in || stage.kept || stage.state === "made" || stage.state === "reused";
    return h("tr", {}, h("th", { scope: "row" }, stage.name, h("div.soft.small", {}, about.caption)),
      h("td.wide.barcell", {}, counted ? bar : h("div.soft.small", {}, progress(stage))),
      h("td.n", {}, counted ? number(stage.in) : ""), h("td.n", {}, counted ? linked("kept", stage.kept) : ""),
      h("td.n", {}, counted && gone ? linked("dropped", gone) : ""),
      h("td.reasons", {}, Object.entries(stage.dropped).sort((a, b) => b[1] - a[1]).map(([reason, count]) =>
        h("span.reason", { title: about.reasons[reason] || null }, reason, " ", linked("dropped", count, { reason }))),
        lists.includes("spans") && h("a", { href: to(["run", name, stage.name, "spans"]) }, "token spans"),
        !counted && h("span.narrow.soft.small", {}, stage.state, " ", progress(stage))),
      h("td.soft.small.wide.n", {}, stage.state, stage.seconds ? ` ${duration(stage.seconds)}` : ""));
  });
  return h("div.scroll", {}, h("table.walk", {}, h("caption.sr", {}, "Stages: records in, kept and dropped"),
    h("thead", {}, h("tr", {}, h("th", {}, "stage"), h("th.wide", {}), h("th.n", {}, "in"), h("th.n", {}, "kept"), h("th.n", {}, "dropped"), h("th", {}, "why"), h("th.wide.n", {}, "state"))),
    h("tbody", {}, rows)));
}

function progress(stage) {
  const told = stage.progress || {};
  const [done, total] = [told.done ?? told.step, told.total ?? told.steps];
  const answers = stage.journalled ? `${number(stage.journalled.answers)} answers in the journal` : "";
  if (done === undefined || !total) return answers;
  return [h("progress", { max: total, value: done, "aria-label": stage.name }), ` ${number(done)} of ${number(total)}`, told.loss !== undefined ? `, loss ${told.loss.toFixed(3)}` : ""];
}

function teachers(report) {
  if (!(report.teachers || []).length) return null;
  const cost = report.cost || {};
  return h("section", {}, h("h2", {}, "Teachers"), h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "teacher"), h("th.n", {}, "answers"), h("th.n", {}, "kept"), h("th.n", {}, "tokens"), h("th.n", {}, "cost"))),
    h("tbody", {}, report.teachers.map((one) => h("tr", {}, h("td", {}, one.name, " ", h("span.soft.small", {}, one.kind)), h("td.n", {}, number(one.completions)), h("td.n", {}, number(one.kept)), h("td.n", {}, number(one.tokens)), h("td.n", {}, dollars(one.usd))))))),
    cost.usd_per_kept_document ? h("p.soft.small", {}, `${dollars(cost.usd_per_kept_document)} for each kept document`) : null);
}

function places(found) {
  return h("section", {}, h("h2", {}, "Where it lies"), h("dl", {}, Object.entries(found.places).map(([what, path]) => [h("dt", {}, what), h("dd", {}, h("code", {}, path))])));
}

export async function training(name) {
  const place = h("div");
  let shown = "";
  const draw = async () => {
    const found = await ask("curves", name);
    const now = JSON.stringify(found);
    if (now === shown) return;
    shown = now;
    const points = found.points;
    const four = (value) => (value === 0 ? "0" : value.toFixed(value < 0.01 ? 4 : 3));
    place.replaceChildren(
      ...[
        points.length === 0 && found.held_out.length === 0 && h("p.empty", {}, "No step of training is written down yet."),
        chart("Loss, nats a token", [
          { name: "training loss", points: points.map((p) => [p[0], p[1]]), smooth: points.length > 80 },
          { name: "held-out loss", points: found.held_out }], four),
        chart("Learning rate", [{ name: "learning rate", points: points.filter((p) => p[2] !== null).map((p) => [p[0], p[2]]) }], (value) => (value === 0 ? "0" : value.toExponential(1))),
        found.held_out.length > 0 && h("details", {}, h("summary", {}, "The held-out losses as numbers"), h("table", {}, h("thead", {}, h("tr", {}, h("th.n", {}, "step"), h("th.n", {}, "held-out loss"))),
          h("tbody", {}, found.held_out.map(([step, loss]) => h("tr", {}, h("td.n", {}, number(step)), h("td.n", {}, loss.toFixed(4))))))),
      ].filter(Boolean));
  };
  await draw();
  again(5, draw);
  return [h("h1", {}, "Training"), place];
}

export async function labels(name) {
  const found = await ask("labels", name);
  return [h("h1", {}, "Labels"),
    h("p", {}, "Good, bad or a note, by hand. They lie in the run's folder as ", h("code", {}, "labels.jsonl"), "."),
    !exported && found.length > 0 && h("p", {}, h("a", { href: `api/runs/${encodeURIComponent(name)}/labels.jsonl`, download: true }, "Download labels.jsonl")),
    found.length ? h("ol.records", {}, found.toReversed().map((one) => h("li", {}, h("a", { href: to(["run", name, "record", one.id]), "data-row": true },
      h("span.meta", {}, tags({ label: one }), h("span", {}, one.stage), h("code.id", {}, one.id.slice(0, 12))), h("span.detail", {}, one.note || " ")))))
      : h("p.empty", {}, "No record is labelled yet: open one, and press g or b.")];
}

export async function record(name, id) {
  const found = await ask("record", name, id);
  const { row, completion, prompt, kept } = found;
  const text = textOf(row);
  const lineage = h("div", {}, h("p.soft", {}, "…"));
  ask("trace", name, id).then(
    (traced) => lineage.replaceChildren(...tree(name, traced)),
    (problem) => lineage.replaceChildren(h("p.soft", {}, problem.message)));
  const main = [
    row.reason && h("div.notice", {}, h("b", {}, "Dropped: ", row.reason), h("div.detail", {}, row.detail),
      row.similarity !== null && row.similarity !== undefined && h("div.soft", {}, `similarity ${row.similarity.toFixed(4)}`),
      row.kept_id && h("div", {}, "kept in its place: ", h("a", { href: to(["run", name, "record", row.kept_id]) }, row.kept_id.slice(0, 12)))),
    kept && [h("h2", {}, "The record kept, and this one"), h("p.soft.small", {}, "− only in the record kept · + only in this one"), differenceBlock(textOf(kept), text, "difference between the record kept and this one")],
    h("h2", {}, "Text"), block(text, languageOf(row), "text of the record"),
    row.test && [h("h2", {}, "Test ", h("span.soft.small", {}, row.test_owner || "")), block(row.test, languageOf(row), "its test")],
    (row.attempts || []).length > 0 && [h("h2", {}, "Further solutions"), row.attempts.map((one) => block(one, languageOf(row), "a further solution"))],
    row.raw !== undefined && row.raw !== null && row.raw !== text && [h("h2", {}, "As generated"), block(row.raw, "", "as generated")],
    prompt && prompt.id !== row.id && [h("h2", {}, "Prompt"), block(textOf({ ...prompt, type: "prompt" }), "markdown", "the prompt")],
    completion && completion.id !== row.id && [h("h2", {}, "The teacher's whole answer"), h("details", { open: false }, h("summary", {}, `${number(completion.text.length)} characters`), block(completion.text, "markdown", "the answer"))],
  ];
  return [
    h("h1.record", {}, row.type || "span", " ", h("code.id", {}, row.id)),
    h("p.meta", {}, tags(row), found.places.map((one, n) => [n ? " → " : "", h("a", { href: to(["run", name, one.stage, one.kind]) }, `${one.stage}${one.kind === "kept" ? "" : " " + one.kind}`)])),
    h("div.columns", {}, h("div", {}, main), h("aside", {}, labelling(name, found), facts(name, found), h("h2", {}, "Lineage"), lineage)),
  ];
}

const SHOWN = ["source", "split", "class", "features", "method", "guessed", "teacher", "teacher_kind", "model", "benchmark", "task_id", "group", "passed", "verdict", "detail", "judged", "topic", "audience", "origin", "licence",
  "entry_point", "test_owner", "executed", "mutants", "killed", "finish_reason", "prompt_tokens", "completion_tokens", "usd", "template", "number", "shard", "start", "loss_start", "stop", "checkpoint"];

function facts(name, found) {
  const { row, completion, prompt } = found;
  const seed = row.seed || (completion || {}).seed || (prompt || {}).seed || (row.type === "seed" ? row : null);
  const said = (holder, keys) => keys.filter((key) => holder[key] !== null && holder[key] !== undefined && holder[key] !== "")
    .map((key) => [h("dt", {}, key.replaceAll("_", " ")), h("dd", {}, Array.isArray(holder[key]) ? holder[key].join(", ") : String(holder[key]))]);
  return [
    h("h2", {}, "Facts"),
    h("dl", {}, said(row, SHOWN.filter((key) => !(row.reason && key === "detail"))), typeof found.value === "number" && [h("dt", {}, "value"), h("dd", {}, found.value.toFixed(3))],
      row.mutants && [h("dt", {}, "test strength"), h("dd", {}, `${row.killed} of ${row.mutants} mutants refused`)]),
    completion && completion.id !== row.id && [h("h2", {}, "Answer"), h("dl", {}, said(completion, ["teacher", "teacher_kind", "model", "finish_reason", "prompt_tokens", "completion_tokens", "usd", "number"]))],
    seed && row.type !== "seed" && [h("h2", {}, "Seed"), h("dl", {}, said(seed, ["kind", "number", "topic", "title", "audience", "form", "function_name", "words", "teacher"]))],
    seed && row.type === "seed" && h("dl", {}, said(seed, ["kind", "form", "title", "function_name", "words"])),
    !exported && h("p", {}, h("a", { href: ["api", "runs", name, "records", row.id, "whole"].map(encodeURIComponent).join("/"), download: true }, "Download the whole record")),
  ];
}

function labelling(name, found) {
  const label = found.label || {};
  if (exported) return found.label && h("p", {}, tags({ label: found.label }), " ", label.note);
  const note = h("textarea", { rows: 2, maxlength: 10000, "aria-label": "Note", placeholder: "a note" }, "");
  note.value = label.note || "";
  const said = h("span.small.soft", { role: "status" });
  const buttons = {};
  const put = async (value) => {
    const stage = found.places[found.places.length - 1].stage;
    try {
      const written = await ask("label", name, found.row.id, { label: value, note: note.value, stage });
      found.label = written;
      for (const [one, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String((written || {}).label === one));
      said.textContent = written ? "saved" : "no label";
    } catch (problem) {
      said.textContent = problem.message;
    }
  };
  const now = () => (found.label || {}).label || "";
  for (const [value, key] of [["good", "g"], ["bad", "b"]])
    buttons[value] = h("button.label." + value, { type: "button", "data-key": key, "aria-pressed": String(now() === value), onclick: () => put(now() === value ? "" : value) }, value);
  note.addEventListener("change", () => put(now()));
  return h("div.labelling", {}, h("div", {}, Object.values(buttons), h("button.label", { type: "button", "data-key": "x", onclick: () => { note.value = ""; put(""); } }, "none"), " ", said), note);
}

// The walk of a record, as `hornbook trace` has it.
function tree(name, traced) {
  const step = (one) => h("li", {},
    h("div", {}, one.what !== "remark" && h("b", {}, one.what, " "), idLink(name, one), " ", one.note, one.stage && h("span.soft.small", {}, ` ${one.stage}`)),
    one.text && h("details", {}, h("summary.small", {}, "text"), block(one.text, "", `text of the ${one.what}`)),
    one.next.length > 0 && h("ul", {}, one.next.map(step)));
  const part = (title, steps) => steps.length > 0 && [h("h3", {}, title), h("ul.tree", {}, steps.map(step))];
  return [part("Back", traced.back), part("Forward", traced.forward)].flat().filter(Boolean);
}

const RECORDS = new Set(["document", "completion", "prompt", "seed", "sample", "score", "span", "kept", "dropped"]);

function idLink(name, one) {
  if (!one.id) return null;
  const short = one.id.slice(0, 12);
  return RECORDS.has(one.what) ? h("a", { href: to(["run", name, "record", one.id]) }, h("code", {}, short)) : h("code", {}, short);
}

export async function compare(names) {
  const found = await Promise.all(names.map((name) => ask("run", name)));
  const keys = [...new Set(found.flatMap((one) => Object.keys(one.settings)))];
  const value = (one, key) => (key in one.settings ? JSON.stringify(one.settings[key]) : "–");
  const differing = keys.filter((key) => new Set(found.map((one) => value(one, key))).size > 1);
  const benchmarks = [...new Set(found.flatMap((one) => (one.report.scores || []).map((s) => `${s.benchmark}\n${s.model}`)))];
  const stages = [...new Set(found.flatMap((one) => one.status.stages.map((stage) => stage.name)))];
  const row = (title, cells, name = "") => h("tr", {}, h("th", { scope: "row" }, title), cells.map((cell) => h("td" + name, {}, cell)));
  const part = (title, rows) => rows.length > 0 && h("tbody", {}, h("tr.part", {}, h("th", { colspan: names.length + 1, scope: "rowgroup" }, title)), rows);
  return [h("h1", {}, `${names.length} runs side by side`),
    h("div.scroll", {}, h("table.compared", {}, h("thead", {}, h("tr", {}, h("td"), names.map((name) => h("th.n", { scope: "col" }, h("a", { href: to(["run", name]) }, name))))),
      part("Scores, pass@1", benchmarks.map((both) => {
        const [benchmark, model] = both.split("\n");
        return row(`${benchmark} ${model}`, found.map((one) => {
          const it = (one.report.scores || []).find((s) => s.benchmark === benchmark && s.model === model);
          return it ? [score(it), it.interval && h("span.soft.small", {}, ` [${percent(it.interval[0])}, ${percent(it.interval[1])}]`)] : "–";
        }), ".n");
      })),
      part("Cost and time", [
        row("state", found.map((one) => state(one.status.state)), ".n"),
        row("cost", found.map((one) => (one.report.cost ? dollars(one.report.cost.usd) : "–")), ".n"),
        row("teacher tokens", found.map((one) => (one.report.cost ? number(one.report.cost.tokens) : "–")), ".n"),
        row("time", found.map((one) => duration(one.status.seconds)), ".n"),
        row("student parameters", found.map((one) => number((one.report.student || {}).parameters)), ".n"),
        row("held-out loss", found.map((one) => { const loss = (one.report.student || {}).held_out_loss; return typeof loss === "number" ? loss.toFixed(3) : "–"; }), ".n")]),
      part("Records kept", stages.map((stage) => row(stage, found.map((one) => {
        const it = one.status.stages.find((s) => s.name === stage);
        return it && (it.in || it.kept) ? [number(it.kept), h("span.soft.small", {}, ` of ${number(it.in)}`)] : "–";
      }), ".n"))),
      part("Settings that differ", differing.map((key) => row(h("code", {}, key), found.map((one) => h("code", {}, value(one, key).slice(0, 200))), ".setting"))))),
    differing.length === 0 && h("p.soft", {}, "All settings are the same.")];
}

export { context };

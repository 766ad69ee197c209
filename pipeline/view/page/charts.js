// Curves by optimiser step: what is drawn is numbers alone.

import { h, svg } from "./dom.js";

const [WIDTH, HEIGHT] = [1000, 260];

function ticks(low, high, count) {
  const rough = (high - low || Math.abs(high) || 1) / Math.max(count - 1, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * (1 - 1e-9));
  const found = [];
  for (let n = Math.floor(low / step + 1e-9); n <= Math.ceil(high / step - 1e-9); n++) found.push(+(n * step).toPrecision(10));
  return found;
}

function smoothed(values) {
  const reach = Math.floor(values.length / 40);
  return values.map((_, place) => {
    const near = Math.min(reach, place, values.length - 1 - place);
    const part = values.slice(place - near, place + near + 1);
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
}

// series: [{name, points: [[step, value]], dots, smooth}]; format: a value for a person. Returns a figure.
export function chart(title, series, format) {
  const drawn = series
    .map((one) => ({ ...one, points: one.points.filter((point) => Number.isFinite(point[1])) }))
    .filter((one) => one.points.length);
  if (!drawn.length) return null;
  const every = drawn.flatMap((one) => one.points);
  const [first, last] = [Math.min(...every.map((p) => p[0])), Math.max(...every.map((p) => p[0]))];
  const values = every.map((point) => point[1]);
  const marks = ticks(Math.min(...values) > Math.max(...values) / 3 ? Math.min(...values) : 0, Math.max(...values), 5);
  const [low, high] = [marks[0], marks[marks.length - 1]];
  const x = (step) => ((step - first) / (last - first || 1)) * WIDTH;
  const y = (value) => HEIGHT - ((value - low) / (high - low || 1)) * HEIGHT;
  const path = (points, name) =>
    svg("path", { class: name, d: "M" + points.map((p) => `${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`).join("L") });
  const plot = h("div.plot", { role: "img", "aria-label": `${title}: ${drawn.map((one) => one.name).join(", ")}` });
  const canvas = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" });
  for (const mark of marks) {
    const line = h("div.line", {}, h("span.y", {}, format(mark)));
    line.style.bottom = `${(100 * (mark - low)) / (high - low || 1)}%`;
    plot.append(line);
  }
  for (const mark of ticks(first, last, innerWidth < 600 ? 3 : 6).filter((one) => one >= first && one <= last)) {
    const label = h("span.x", {}, mark.toLocaleString("en"));
    label.style.left = `${x(mark) / 10}%`;
    if (x(mark) > WIDTH * 0.93) label.classList.add("end");
    plot.append(label);
  }
  drawn.forEach((one, place) => {
    const name = `series-${place}`;
    if (one.smooth) {
      canvas.append(path(one.points, name + " raw"));
      const mean = smoothed(one.points.map((point) => point[1]));
      canvas.append(path(one.points.map((point, n) => [point[0], mean[n]]), name));
    } else canvas.append(path(one.points, name));
  });
  plot.append(canvas);
  const at = h("p.small.soft.at", { "aria-hidden": "true" }, "\u00a0");
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const step = first + ((event.clientX - box.left) / box.width) * (last - first);
    const said = drawn.map((one) => {
      const near = one.points.reduce((a, b) => (Math.abs(b[0] - step) < Math.abs(a[0] - step) ? b : a));
      return `${one.name} ${format(near[1])} at step ${near[0].toLocaleString("en")}`;
    });
    at.textContent = said.join(" · ");
  });
  const key = h("p.small.soft.key", {}, drawn.map((one, place) => [h(`i.series-${place}`), one.name, " "]));
  return h("figure", {}, h("h3", {}, title), key, plot, at);
}

"use strict";
// Draws the report from the JSON in #data. `chosen` is what the filter and the brushed axes leave of the entries.
const data = JSON.parse(document.getElementById("data").textContent);
const entries = data.entries;
const less = data.direction === "minimize";
const find = (selector) => document.querySelector(selector);
const valued = entries.filter((each) => each.goal !== null);
const within = valued.filter((each) => !each.beyond); // what is beyond a limit is drawn hollow, and is never the best
const best = within.reduce((a, b) => (a === null || (less ? b.goal < a.goal : b.goal > a.goal) ? b : a), null);
const colors = { done: "#2f7dc4", finished: "#2f7dc4", pruned: "#b07d1c", running: "#2c9a5b", failed: "#c8442f" };
const color = (state) => colors[state] || "#8b949e";
const MANY = 20000; // points above which WebGL draws the curves
const webgl = (() => {
  const context = document.createElement("canvas").getContext("webgl");
  return context !== null;
})();
let brushed = {}; // field -> ranges of the axis
let order = { column: null, falling: false };

const symbol = (each) => (each.beyond ? "circle-open" : "circle");

function settings(each) {
  const told = data.fields.map((name, i) => (each.values[i] === null ? null : `${name}=${each.values[i]}`));
  return told.filter((text) => text !== null).join("<br>");
}

function escaped(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function hover(each) {
  const goal = each.goal === null ? each.state : `${data.goal} ${each.goal.toPrecision(5)}`;
  return `<b>${escaped(each.name)}</b> ${escaped(goal)}<br>${escaped(settings(each)).replace(/&lt;br&gt;/g, "<br>")}`;
}

function isChosen(each) {
  const state = find("#state").value, field = find("#field").value, holds = find("#holds").value.trim();
  if (state !== "" && each.state !== state) return false;
  if (holds !== "" && field !== "") {
    const value = each.values[data.fields.indexOf(field)];
    if (value === null || !String(value).toLowerCase().includes(holds.toLowerCase())) return false;
  }
  return Object.entries(brushed).every(([name, ranges]) => {
    const at = position(name, each);
    return at !== null && ranges.some(([low, high]) => at >= low && at <= high);
  });
}

// Where an entry lies on the axis of a field: numbers as they are, or their logarithm; texts by their place in a list.
const axes = Object.fromEntries(data.fields.map((name, i) => [name, axis(entries.map((each) => each.values[i]))]));
axes[data.goal] = axis(entries.map((each) => each.goal));

function axis(values) {
  const there = values.filter((value) => value !== null);
  if (there.length && there.every((value) => typeof value === "number")) {
    const low = Math.min(...there), high = Math.max(...there);
    return { kind: low > 0 && high / low >= 100 ? "log" : "linear" };
  }
  return { kind: "names", names: [...new Set(there.map(String))].sort() };
}

function valueOf(name, each) {
  return name === data.goal ? each.goal : each.values[data.fields.indexOf(name)];
}

function position(name, each) {
  const value = valueOf(name, each), { kind, names } = axes[name];
  if (value === null) return null;
  return kind === "names" ? names.indexOf(String(value)) : kind === "log" ? Math.log10(value) : value;
}

function layout(more) {
  const style = getComputedStyle(document.documentElement);
  const [text, line] = ["--text", "--line"].map((name) => style.getPropertyValue(name).trim());
  const shared = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: text, size: 13 },
    margin: { l: 55, r: 15, t: 10, b: 40 }, showlegend: false, hovermode: "closest", ...more,
    xaxis: { ...shared, ...(more.xaxis || {}) }, yaxis: { ...shared, ...(more.yaxis || {}) },
  };
}

const options = { responsive: true, displayModeBar: false }; // a double click undoes a zoom
const plot = (id) => find(`#${id} .plot`);

function drawHistory(chosen) {
  const shown = chosen.filter((each) => each.goal !== null);
  let so = null;
  const better = (each) => !each.beyond && (so === null || (less ? each.goal < so : each.goal > so));
  const line = shown.map((each) => (so = better(each) ? each.goal : so));
  const x = shown.map((each) => entries.indexOf(each) + 1);
  Plotly.react(plot("history"), [
    { x, y: shown.map((each) => each.goal), mode: "markers", text: shown.map(hover), hoverinfo: "text",
      marker: { color: shown.map((each) => color(each.state)), size: 7, symbol: shown.map(symbol) } },
    { x, y: line, mode: "lines", line: { shape: "hv", width: 2 }, name: "best so far", hoverinfo: "y" },
  ], layout({ yaxis: { title: { text: data.goal } } }), options);
}

function drawCurves(chosen) {
  const groups = new Map();
  for (const each of chosen.filter((one) => one.steps.length)) {
    const key = each === best ? "best" : each.state;
    if (!groups.has(key)) groups.set(key, { x: [], y: [], text: [] });
    const group = groups.get(key), told = hover(each);
    each.steps.forEach((step, i) => { group.x.push(step); group.y.push(each.curve[i]); group.text.push(told); });
    group.x.push(null); group.y.push(null); group.text.push(""); // a gap between two curves
  }
  const points = [...groups.values()].reduce((sum, group) => sum + group.x.length, 0);
  const keys = [...groups.keys()].sort((a, b) => (a === "best") - (b === "best")); // the best is drawn last
  Plotly.react(plot("curves"), keys.map((key) => ({
    ...groups.get(key), name: key, mode: points > MANY ? "lines" : "lines+markers", hoverinfo: "text",
    type: points > MANY && webgl ? "scattergl" : "scatter", marker: { size: 4 },
    line: { width: key === "best" ? 3 : 1, color: key === "best" ? "#d9480f" : color(key) },
  })), layout({ xaxis: { title: { text: "step" } }, yaxis: { title: { text: data.goal } } }), options);
}

function drawParallel() {
  const fields = data.fields.filter((name) => valued.every((each) => position(name, each) !== null));
  if (!valued.length || !fields.length || !webgl) return hide("parallel");
  const dimensions = [...fields, data.goal].map((name) => {
    const { kind, names } = axes[name], values = valued.map((each) => position(name, each));
    const low = Math.floor(Math.min(...values)), high = Math.ceil(Math.max(...values));
    const powers = Array.from({ length: high - low + 1 }, (_, i) => low + i);
    const ticks = kind === "names" ? { tickvals: names.map((_, i) => i), ticktext: names }
      : kind === "log" ? { tickvals: powers, ticktext: powers.map((power) => `1e${power}`) } : {};
    return { label: name, values, ...ticks };
  });
  const style = getComputedStyle(document.documentElement).getPropertyValue("--text").trim();
  const line = { color: valued.map((each) => each.goal), colorscale: "Viridis", reversescale: less, showscale: true };
  const names = [...fields, data.goal];
  Plotly.react(plot("parallel"), [{ type: "parcoords", dimensions, line, labelfont: { color: style },
    tickfont: { color: style }, rangefont: { color: style } }], layout({ margin: { l: 80, r: 40, t: 50, b: 40 } }), options);
  const drawn = plot("parallel");
  drawn.removeAllListeners("plotly_restyle");
  drawn.on("plotly_restyle", () => {
    brushed = {};
    drawn.data[0].dimensions.forEach((each, i) => {
      const range = each.constraintrange;
      if (range && range.length) brushed[names[i]] = Array.isArray(range[0]) ? range : [range];
    });
    update();
  });
}

function drawImportance() {
  if (typeof data.importance === "string") {
    plot("importance").textContent = `not known: ${data.importance}`;
    plot("importance").style.height = "auto";
    return;
  }
  const rows = Object.entries(data.importance).sort((a, b) => a[1] - b[1]);
  Plotly.react(plot("importance"), [{ type: "bar", orientation: "h", x: rows.map((row) => row[1]),
    y: rows.map((row) => row[0]), text: rows.map((row) => `${(100 * row[1]).toFixed(0)} %`) }],
  layout({ xaxis: { range: [0, 1], title: { text: "share of the differences" } } }), options);
}

function drawSeeds() {
  if (!data.settings.length) return hide("seeds");
  const rows = data.settings.slice(0, 30).reverse(); // the best is listed first
  Plotly.react(plot("seeds"), [{ type: "scatter", mode: "markers", x: rows.map((row) => row.mean),
    y: rows.map((row) => row.what), error_x: { type: "data", array: rows.map((row) => row.spread || 0) },
    text: rows.map((row) => `${row.values.length} seeds`), marker: { size: 8 } }],
  layout({ xaxis: { title: { text: data.goal } } }), options);
}

// A panel for each further goal over the first; the line is the front of these two, the stars are that of all goals.
function drawFront(chosen) {
  const goals = Object.keys(data.others);
  if (!goals.length || !data.compared.length) return hide("front");
  const names = new Set(chosen.map((each) => each.name));
  const shown = data.compared.filter((each) => each.names.some((name) => names.has(name)));
  const columns = Math.min(3, goals.length), rows = Math.ceil(goals.length / columns);
  plot("front").style.height = `${320 * rows}px`;
  const look = layout({ grid: { rows, columns, pattern: "independent" } });
  const traces = goals.flatMap((goal, i) => {
    const of = i === 0 ? "" : String(i + 1), y = shown.map((each) => each.means[i + 1]);
    const wide = y.length && Math.min(...y) > 0 && Math.max(...y) / Math.min(...y) >= 100;
    look[`xaxis${of}`] = { ...look.xaxis, title: { text: data.goal } };
    look[`yaxis${of}`] = { ...look.yaxis, title: { text: goal }, type: wide ? "log" : "linear" };
    const place = { xaxis: `x${of}`, yaxis: `y${of}` };
    const told = (each) => `${escaped(each.what).replace(/ /g, "<br>")}<br>${[data.goal, ...goals].map((name, j) =>
      `${escaped(name)} ${each.means[j].toPrecision(5)}`).join("<br>")}`;
    const group = (list, more) => ({ x: list.map((each) => each.means[0]), y: list.map((each) => each.means[i + 1]),
      text: list.map(told), hoverinfo: "text", mode: "markers", ...place, ...more });
    const rest = shown.filter((each) => !each.front), hollow = (each) => symbol({ beyond: !each.within });
    return [
      { ...group(frontOf(shown.filter((each) => each.within), 0, i + 1), {}), mode: "lines", hoverinfo: "skip", line: { width: 1, color: "#d9480f" } },
      group(rest, { name: "others", marker: { size: 7, color: color("done"), symbol: rest.map(hollow) } }),
      group(shown.filter((each) => each.front), { name: "front", marker: { size: 12, color: "#d9480f", symbol: "star" } }),
    ];
  });
  Plotly.react(plot("front"), traces, look, options);
}

// The settings that are on the front of two goals, in the order of the first.
function frontOf(list, a, b) {
  const smaller = [data.direction, ...Object.values(data.others)].map((each) => each === "minimize");
  const cost = (each, i) => (smaller[i] ? each.means[i] : -each.means[i]);
  let least = Infinity;
  return [...list].sort((p, q) => cost(p, a) - cost(q, a) || cost(p, b) - cost(q, b)).filter((each) => {
    const better = cost(each, b) < least;
    if (better) least = cost(each, b);
    return better;
  });
}

function drawSlices(chosen) {
  const shown = chosen.filter((each) => each.goal !== null);
  if (!data.fields.length || !valued.length) return hide("slices");
  const columns = Math.min(3, data.fields.length), rows = Math.ceil(data.fields.length / columns);
  plot("slices").style.height = `${260 * rows}px`;
  const look = layout({ grid: { rows, columns, pattern: "independent" } });
  const traces = data.fields.map((name, i) => {
    const of = i === 0 ? "" : String(i + 1);
    const type = { log: "log", linear: "linear", names: "category" }[axes[name].kind];
    look[`xaxis${of}`] = { ...look.xaxis, title: { text: name }, type };
    look[`yaxis${of}`] = { ...look.yaxis };
    const told = shown.filter((each) => valueOf(name, each) !== null);
    return { x: told.map((each) => valueOf(name, each)), y: told.map((each) => each.goal), text: told.map(hover),
      hoverinfo: "text", mode: "markers", xaxis: `x${of}`, yaxis: `y${of}`,
      marker: { size: 6, color: told.map((each) => (each === best ? "#d9480f" : color(each.state))),
        symbol: told.map(symbol) } };
  });
  Plotly.react(plot("slices"), traces, look, options);
}

function drawTable(chosen) {
  const others = Object.keys(data.others);
  const columns = ["name", "state", data.goal, ...others, ...data.limits, "seconds", ...data.fields];
  const cell = { name: (each) => each.name, state: (each) => each.state, [data.goal]: (each) => each.goal,
    seconds: (each) => each.seconds };
  others.forEach((name, i) => { cell[name] = (each) => each.others[i]; });
  data.limits.forEach((name, i) => { cell[name] = (each) => each.limited[i]; });
  const value = (name, each) => (cell[name] && !data.fields.includes(name) ? cell[name](each) : valueOf(name, each));
  const rows = [...chosen];
  if (order.column !== null) {
    rows.sort((a, b) => compared(value(order.column, a), value(order.column, b), order.falling ? -1 : 1));
  }
  const head = document.createElement("tr");
  for (const name of columns) {
    const th = document.createElement("th");
    th.textContent = name;
    if (name === order.column) th.setAttribute("aria-sort", order.falling ? "descending" : "ascending");
    th.onclick = () => {
      order = { column: name, falling: order.column === name && !order.falling };
      drawTable(entries.filter(isChosen));
    };
    head.append(th);
  }
  find("#table thead").replaceChildren(head);
  find("#table tbody").replaceChildren(...rows.map((each) => {
    const tr = document.createElement("tr");
    if (each === best) tr.className = "best";
    tr.title = each.folder + (each.reason ? `\n${each.reason}` : "");
    for (const name of columns) {
      const td = document.createElement("td"), shown = value(name, each);
      td.textContent = shown === null || shown === undefined ? ""
        : typeof shown === "number" && !Number.isInteger(shown) ? String(Number(shown.toPrecision(5))) : String(shown);
      tr.append(td);
    }
    return tr;
  }));
}

// Numbers in their order, texts in that of their letters, the other way if `sign` is -1; what is absent last.
function compared(a, b, sign) {
  const absent = (value) => value === null || value === undefined;
  if (absent(a) || absent(b)) return absent(a) - absent(b);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

function hide(id) {
  find(`#${id}`).hidden = true;
}

function fill() {
  find("#title").textContent = data.title;
  const counts = Object.entries(data.counts).map(([state, count]) => `${count} ${state}`).join(", ");
  const none = valued.length ? "nothing is within the limits" : "no value yet";
  const told = best === null ? none : `best ${data.goal}: ${best.goal.toPrecision(6)} (${best.name})`;
  const goals = { [data.goal]: data.direction, ...data.others };
  const wanted = Object.entries(goals).map(([goal, direction]) => `${direction} ${goal}`).join(" and ");
  const aims = data.limits.length ? `${wanted}, with ${data.limits.join(" and ")}` : wanted;
  find("#summary").textContent = `${told}; ${aims}; ${counts}`;
  for (const [title, command] of Object.entries(data.commands)) {
    const row = document.createElement("div"), name = document.createElement("span");
    const code = document.createElement("code"), copy = document.createElement("button");
    name.textContent = title;
    code.textContent = command;
    copy.textContent = "copy";
    copy.onclick = () => navigator.clipboard.writeText(command);
    row.append(name, code, copy);
    find("#commands").append(row);
  }
  find("#state").replaceChildren(...["", ...Object.keys(data.counts)].map((each) => new Option(each || "all", each)));
  find("#field").replaceChildren(...data.fields.map((each) => new Option(each, each)));
  if (!data.failures.length) hide("failures");
  find("#failures ul").replaceChildren(...data.failures.map((each) => {
    const li = document.createElement("li");
    li.textContent = `${each.entries.length}: ${each.reason} (${each.entries.slice(0, 5).join(", ")}${
      each.entries.length > 5 ? ", ..." : ""})`;
    return li;
  }));
  if (!data.pictures.length) hide("pictures");
  find(".pictures").replaceChildren(...data.pictures.map((each) => {
    const figure = document.createElement("figure"), image = document.createElement("img");
    const caption = document.createElement("figcaption");
    image.src = `data:image/png;base64,${each.png}`;
    image.alt = caption.textContent = each.name;
    figure.append(image, caption);
    return figure;
  }));
}

function update() {
  const chosen = entries.filter(isChosen);
  find("#shown").textContent = `${chosen.length} of ${entries.length}`;
  drawHistory(chosen);
  drawFront(chosen);
  drawCurves(chosen);
  drawSlices(chosen);
  drawTable(chosen);
}

function theme(dark) {
  document.documentElement.classList.toggle("dark", dark);
  find("#theme").textContent = dark ? "light" : "dark";
  drawImportance();
  drawSeeds();
  update();
  drawParallel(); // the slowest: it comes last
}

fill();
for (const id of ["state", "field", "holds"]) find(`#${id}`).addEventListener("input", update);
find("#reset").onclick = () => {
  find("#state").value = "";
  find("#holds").value = "";
  brushed = {};
  if (!find("#parallel").hidden) { Plotly.purge(plot("parallel")); drawParallel(); }
  update();
};
find("#theme").onclick = () => theme(!document.documentElement.classList.contains("dark"));
theme(window.matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.dataset.drawn = "yes";

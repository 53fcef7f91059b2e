"use strict";
// What is known of a frame, and of the thing that is held or pointed at: all columns, as text.
const THING_COLUMNS = [
  ["class", (frame, thing) => titleOf(frame, thing)], ["id", (frame, { row, kind }) => kind === "instance" ? row.inst_id : row.defect_id],
  ["pixels", (frame, { row }) => row.area_px], ["depth m", (frame, { row }) => row.depth_m == null ? null : row.depth_m.toFixed(2)],
  ["hidden", (frame, { row }) => percent(row.occlusion)], ["cut", (frame, { row }) => percent(row.truncation)],
];
const LONG_TEXT = 120;

function percent(value) { return value === null || value === undefined ? null : `${(100 * value).toFixed(0)} %`; }

function textOf(value) {
  if (value === null || value === undefined) return "none";
  const text = Array.isArray(value) ? value.map(textOf).join("  ") : String(value);
  return text.length > LONG_TEXT ? `${text.slice(0, LONG_TEXT)}... (${text.length} characters)` : text;
}

function factRows(row, names) {
  return names.map((name) => {
    const line = document.createElement("tr");
    line.append(make("th", name), make("td", textOf(row[name])));
    return line;
  });
}

function fillFacts(frame) {
  const drawn = Object.keys(frame.world).filter((name) => name !== "world" && name !== "step");
  element("facts").replaceChildren(...factRows(frame.row, Object.keys(frame.row)), ...factRows(frame.world, drawn));
}

function fillThing(frame, thing) {
  element("thing-title").textContent = thing ? `${thing.kind} ${nameOf(frame, thing)}` : "point at something, or choose a row";
  element("thing").replaceChildren(...(thing ? factRows(thing.row, Object.keys(thing.row)) : []));
}

function fillThings(frame) {
  const used = THING_COLUMNS.filter(([, value], n) => n < 2 || frame.things.some((thing) => value(frame, thing) !== null && value(frame, thing) !== undefined));
  element("thing-columns").replaceChildren(...used.map(([name]) => { const cell = make("th", name); cell.scope = "col"; return cell; }));
  element("things").replaceChildren(...frame.things.map((thing) => {
    const row = document.createElement("tr");
    for (const [, value] of used) row.append(make("td", value(frame, thing) ?? ""));
    const dot = make("span", "");
    dot.className = "dot"; dot.style.background = ink(frame, thing, 1);
    row.firstChild.prepend(dot);
    row.title = thing.row.prim_path || ""; row.tabIndex = 0;
    row.onmouseenter = row.onfocus = () => hover(thing, null);
    row.onmouseleave = row.onblur = () => hover(null, null);
    row.onclick = () => hold(thing);
    row.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { hold(thing); event.preventDefault(); event.stopPropagation(); } };
    thing.line = row;
    return row;
  }));
  markThings(frame);
}

function markThings(frame) {
  for (const thing of frame.things) if (thing.line) {
    thing.line.classList.toggle("off", !isShown(thing));
    thing.line.classList.toggle("held", stage.held === thing);
    thing.line.setAttribute("aria-selected", String(stage.held === thing));
  }
}

function fillLegend(frame, role) {
  const preview = frame.previews[role], legend = element("legend"), colors = frame.store.head.legend;
  legend.hidden = !(preview && preview.span);
  if (legend.hidden) return;
  const [near, far] = preview.span, isMillimetres = String(frame.row[role]).endsWith(".png");
  const metres = (v) => `${short(isMillimetres ? v / 1000 : v)} m`;
  element("legend-near").textContent = metres(near); element("legend-far").textContent = metres(far);
  element("legend-bar").style.background = `linear-gradient(to right, ${colors.map((c) => `rgb(${c.join(" ")})`).join(", ")})`;
}

"use strict";
// The columns: a list of names, each of which opens to a histogram or to words with counts, by which frames are filtered.
// Drawn values come last: a scene may have thousands.
const GROUPS = ["measured", "instances", "instances by class", "defects", "defects by class", "frame", "world", "drawn"];
const FIRST_OPEN = ["class", "lum_mean", "instances count"];
const open = new Map(); // name -> the function that draws it anew

function buildPanel() {
  const list = element("columns");
  list.replaceChildren();
  const varied = main.head.columns.filter((c) => !c.constant || differs(c)), same = main.head.columns.filter((c) => c.constant && !differs(c));
  for (const group of GROUPS) addGroup(list, group, varied.filter((c) => c.group === group));
  addGroup(list, "the same in all frames", same);
  const wanted = [...filters.keys(), ...FIRST_OPEN.filter((name) => main.facts.has(name))];
  for (const name of new Set(wanted)) toggleColumn(name, true);
}

function differs(facts) { const there = other && other.facts.get(facts.name); return Boolean(there && !there.constant); }

function addGroup(list, title, columns) {
  if (!columns.length) return;
  const section = make("section", ""), heading = make("h2", title);
  section.append(heading);
  for (const facts of columns) {
    const item = make("div", ""), button = make("button", facts.name);
    item.className = "column"; item.dataset.column = facts.name;
    button.className = "name"; button.setAttribute("aria-expanded", "false");
    button.onclick = () => toggleColumn(facts.name, !open.has(facts.name));
    item.append(button);
    section.append(item);
  }
  list.append(section);
}

function itemOf(name) { return [...document.querySelectorAll("#columns .column")].find((item) => item.dataset.column === name); }

async function toggleColumn(name, isOpen) {
  const item = itemOf(name);
  if (!item || isOpen === open.has(name)) return;
  item.querySelector(".name").setAttribute("aria-expanded", String(isOpen));
  if (!isOpen) { open.delete(name); item.querySelector(".body").remove(); return; }
  const body = make("div", "");
  body.className = "body";
  item.append(body);
  open.set(name, () => {});
  const column = await main.column(name), there = other && other.facts.has(name) ? await other.column(name) : null;
  if (!open.has(name) || !body.isConnected) return;
  const pair = there && there.kind === column.kind ? there : null;
  const redraw = column.kind === "number" ? numberBody(body, column, pair) : wordsBody(body, column, pair);
  open.set(name, redraw);
  await redraw();
}

function invertButton(name) {
  const button = make("button", "not");
  button.className = "small"; button.title = "turn this filter over";
  button.onclick = () => setFilter(name, { ...filters.get(name), not: !(filters.get(name) || {}).not });
  return button;
}

function clearButton(name) {
  const button = make("button", "clear");
  button.className = "small";
  button.onclick = () => setFilter(name, null);
  return button;
}

function numberBody(body, column, pair) {
  const span = spanOf(pair ? [column, pair] : [column]), canvas = document.createElement("canvas"), ends = make("div", "");
  const inputs = ["from", "to"].map((word) => {
    const input = document.createElement("input");
    input.type = "number"; input.step = "any"; input.placeholder = word; input.setAttribute("aria-label", `${column.name} ${word}`);
    return input;
  });
  const missing = make("button", `none: ${span.missing}`), not = invertButton(column.name), clear = clearButton(column.name), bar = make("div", "");
  ends.className = "ends faint"; bar.className = "bar"; missing.className = "small";
  ends.append(make("span", short(span.whole && span.step === 1 ? span.low + 0.5 : span.low)), make("span", short(span.whole && span.step === 1 ? span.high - 0.5 : span.high)));
  canvas.tabIndex = 0; canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `${column.name}: arrows move the chosen range, with Shift its end, Delete clears it`);
  bar.append(...inputs, ...(span.missing ? [missing] : []), not, clear);
  body.append(canvas, ends, bar);
  const choose = (range) => {
    const kept = filters.get(column.name) || {};
    return setFilter(column.name, { ...kept, range: range && range[0] <= range[1] ? range : undefined });
  };
  missing.onclick = () => { const kept = filters.get(column.name) || {}; setFilter(column.name, { ...kept, missing: !kept.missing || undefined }); };
  for (const input of inputs) input.onchange = () => {
    const [low, high] = inputs.map((i) => i.value === "" ? null : Number(i.value));
    choose(low === null && high === null ? undefined : [low ?? span.low, high ?? span.high]);
  };
  brush(canvas, span, choose, () => (filters.get(column.name) || {}).range);
  const all = tally(column.values, span), there = pair && tally(pair.values, span);
  return async () => {
    const filter = filters.get(column.name) || {}, mask = filter.range || filter.missing ? await maskOf(main, column.name) : chosen.mask;
    drawBars(canvas, span, { all, chosen: tally(column.values, span, mask), other: there }, filter.range);
    inputs.forEach((input, n) => { if (document.activeElement !== input) input.value = filter.range ? filter.range[n] : ""; });
    missing.setAttribute("aria-pressed", String(Boolean(filter.missing)));
    not.setAttribute("aria-pressed", String(Boolean(filter.not)));
    not.hidden = clear.hidden = !filters.has(column.name);
  };
}

// Choosing a range with the pointer, from bin to bin, or with the keyboard.
function brush(canvas, span, choose, current) {
  const edge = (n) => span.low + Math.min(span.count, Math.max(0, n)) * span.step;
  const range = (a, b) => { // whole numbers are chosen by themselves, not by the edges between them
    const inset = span.whole && span.step === 1 ? 0.5 : 0;
    return [edge(Math.min(a, b)) + inset, (Math.max(a, b) >= span.count ? span.high : edge(Math.max(a, b))) - inset];
  };
  const binAt = (event) => Math.floor((event.clientX - canvas.getBoundingClientRect().left) / PLOT_PX.width * span.count);
  let begun = null;
  canvas.onpointerdown = (event) => { begun = binAt(event); canvas.setPointerCapture(event.pointerId); choose(range(begun, begun + 1)); };
  canvas.onpointermove = (event) => { if (begun !== null) { const n = binAt(event); choose(range(Math.min(begun, n), Math.max(begun, n) + 1)); } };
  canvas.onpointerup = canvas.onpointercancel = () => { begun = null; };
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") choose(undefined);
    else if (step) {
      const now = current(), inset = span.whole && span.step === 1 ? 0.5 : 0;
      let [low, high] = now ? [(now[0] - inset - span.low) / span.step, (now[1] + inset - span.low) / span.step].map(Math.round) : [0, 0];
      if (!now) high = low + 1;
      else if (event.shiftKey) high = Math.max(low + 1, high + step);
      else if (low + step >= 0 && high + step <= span.count) { low += step; high += step; }
      choose(range(low, high));
    } else return;
    event.preventDefault(); event.stopPropagation();
  };
}

function wordsBody(body, column, pair) {
  const box = document.createElement("input"), list = make("div", ""), bar = make("div", ""), more = make("div", "");
  const not = invertButton(column.name), clear = clearButton(column.name);
  box.type = "search"; box.placeholder = "contains"; box.setAttribute("aria-label", `${column.name} contains`);
  box.oninput = () => setFilter(column.name, { ...(filters.get(column.name) || {}), text: box.value });
  list.className = "words"; more.className = "faint"; bar.className = "bar";
  bar.append(box, not, clear);
  body.append(list, more, bar);
  const all = tallyWords(column), there = pair && new Map(tallyWords(pair).entries()), thereOf = pair && new Map(pair.words.map((w, n) => [w, there.get(n)]));
  const toggle = (word) => {
    const kept = filters.get(column.name) || {}, now = new Set(kept.values || []);
    if (!now.delete(word)) now.add(word);
    setFilter(column.name, { ...kept, values: now.size ? [...now] : undefined });
  };
  return async () => {
    const filter = filters.get(column.name) || {}, mask = filters.has(column.name) ? await maskOf(main, column.name) : chosen.mask;
    const counts = tallyWords(column, mask), pressed = new Set(filter.values || []);
    const numbers = [...all.keys()].filter((n) => all[n]).sort((a, b) => all[b] - all[a] || a - b);
    const held = numbers.filter((n) => pressed.has(n < column.words.length ? column.words[n] : NO_WORD));
    const rows = [...new Set([...held, ...numbers.slice(0, MOST_WORDS)])], focused = list.contains(document.activeElement) ? document.activeElement.dataset.number : null;
    list.replaceChildren(...rows.map((n) => {
      const isNone = n === column.words.length, word = isNone ? NO_WORD : column.words[n], button = document.createElement("button");
      const share = make("i", ""), label = make("span", isNone ? "none" : word || "(empty)"), count = make("span", `${counts[n]}${counts[n] === all[n] ? "" : ` of ${all[n]}`}`);
      share.style.width = `${100 * counts[n] / Math.max(1, all[numbers[0]])}%`;
      if (pair && !isNone) count.textContent += ` | ${thereOf.get(word) || 0}`;
      count.className = "faint"; button.title = label.textContent; button.dataset.number = n;
      button.append(share, label, count);
      button.setAttribute("aria-pressed", String(pressed.has(word)));
      button.onclick = () => toggle(word);
      return button;
    }));
    if (focused !== null) list.querySelector(`[data-number="${Number(focused)}"]`)?.focus();
    more.textContent = numbers.length > rows.length ? `and ${numbers.length - rows.length} more; search finds them` : "";
    if (document.activeElement !== box) box.value = filter.text || "";
    not.setAttribute("aria-pressed", String(Boolean(filter.not)));
    not.hidden = clear.hidden = !filters.has(column.name);
  };
}

async function redrawPanel() {
  for (const name of filters.keys()) if (!open.has(name)) await toggleColumn(name, true);
  for (const redraw of [...open.values()]) await redraw();
  for (const item of document.querySelectorAll("#columns .column")) item.classList.toggle("filtered", filters.has(item.dataset.column));
}

function searchColumns(text) {
  for (const item of document.querySelectorAll("#columns .column")) item.hidden = !item.dataset.column.toLowerCase().includes(text.toLowerCase());
  for (const section of document.querySelectorAll("#columns section")) section.hidden = !section.querySelector(".column:not([hidden])");
}

"use strict";
// Which frames are shown and in which order. A filter is {range: [low, high]}, {values: [word or null, ...]}, {text} or
// {missing: true}, all of them turned over by `not`; filters of several columns must all hold.
const main = new Store("data");
const other = arrived.has("other/head") ? new Store("other") : null;
const filters = new Map(); // by the name of a column
const chosen = { needle: "", sort: "", down: false, order: new Uint32Array(0), mask: new Uint8Array(main.count).fill(1) };
const NO_WORD = null; // stands for null among words
const listeners = []; // called when frames or their order have changed
let turn = 0; // a later request makes an earlier one void

// The columns that the search box looks through.
function searched(store) {
  const sets = store.head.columns.filter((c) => c.kind === "set" && /^(defects )?(class|prim_path)( \(instances\))*$/.test(c.name)).map((c) => c.name);
  return [...sets, ...store.head.columns.filter((c) => c.group === "frame" && c.name === "image").map((c) => c.name)];
}

function matchOf(column, filter) {
  const out = new Uint8Array(column.starts ? column.starts.length - 1 : column.values.length), { values } = column;
  if (column.kind === "number") {
    const [low, high] = filter.range || [Infinity, -Infinity];
    for (let i = 0; i < out.length; i++) {
      const v = values[i];
      out[i] = v >= low && v <= high || (filter.missing && Number.isNaN(v)) ? 1 : 0;
    }
  } else {
    const wanted = wordsWanted(column, filter);
    if (column.kind === "set") {
      for (let i = 0; i < out.length; i++) for (let p = column.starts[i]; p < column.starts[i + 1]; p++) if (wanted[values[p]]) { out[i] = 1; break; }
    } else for (let i = 0; i < out.length; i++) out[i] = wanted[values[i]];
  }
  if (filter.not) for (let i = 0; i < out.length; i++) out[i] ^= 1;
  return out;
}

function wordsWanted(column, filter) {
  const wanted = new Uint8Array(column.words.length + 1), { values, text } = filter;
  const named = values && new Set(values);
  column.words.forEach((word, n) => { wanted[n] = (!named || named.has(word)) && (!text || word.toLowerCase().includes(text.toLowerCase())) ? 1 : 0; });
  wanted[column.words.length] = named && named.has(NO_WORD) && !text ? 1 : 0;
  return wanted;
}

// The frames of a dataset that the filters choose, as a mask; columns that it does not have choose nothing.
async function maskOf(store, except) {
  const mask = new Uint8Array(store.count).fill(1);
  for (const [name, filter] of filters) {
    if (name === except || !store.facts.has(name)) { if (name !== except) mask.fill(0); continue; }
    const match = matchOf(await store.column(name), filter);
    for (let i = 0; i < mask.length; i++) mask[i] &= match[i];
  }
  if (chosen.needle) {
    const any = new Uint8Array(store.count);
    for (const name of searched(store)) {
      const match = matchOf(await store.column(name), { text: chosen.needle });
      for (let i = 0; i < any.length; i++) any[i] |= match[i];
    }
    for (let i = 0; i < mask.length; i++) mask[i] &= any[i];
  }
  return mask;
}

function sortKeys(column) {
  if (column.kind !== "set") return column.values;
  const keys = new Uint32Array(column.starts.length - 1);
  for (let i = 0; i < keys.length; i++) keys[i] = column.starts[i + 1] - column.starts[i];
  return keys;
}

async function refresh() {
  const mine = ++turn, mask = await maskOf(main), column = chosen.sort && main.facts.has(chosen.sort) ? await main.column(chosen.sort) : null;
  if (mine !== turn) return;
  const order = [];
  for (let i = 0; i < mask.length; i++) if (mask[i]) order.push(i);
  if (column) {
    const keys = sortKeys(column), sign = chosen.down ? -1 : 1;
    const isKnown = (i) => column.kind === "category" ? keys[i] < column.words.length : !Number.isNaN(keys[i]);
    order.sort((a, b) => isKnown(b) - isKnown(a) || (isKnown(a) ? sign * (keys[a] - keys[b]) : 0) || a - b); // what is missing comes last
  }
  chosen.mask = mask; chosen.order = Uint32Array.from(order);
  writeAddress();
  for (const listener of listeners) await listener();
}

function setFilter(name, filter) {
  const isEmpty = !filter || !(filter.range || filter.values || filter.text || filter.missing);
  if (isEmpty) filters.delete(name); else filters.set(name, filter);
  return refresh();
}

// The address holds what is chosen, so that a link shows the same frames.
function writeAddress(frame = shownFrame()) {
  const said = {};
  if (filters.size) said.f = Object.fromEntries(filters);
  if (chosen.needle) said.q = chosen.needle;
  if (chosen.sort) said.s = [chosen.sort, chosen.down];
  if (frame !== null) said.v = frame;
  const hash = Object.keys(said).length ? `#${encodeURIComponent(JSON.stringify(said))}` : "#";
  if (location.hash !== hash && (location.hash || hash !== "#")) history.replaceState(null, "", hash);
}

// Reads the address, which anybody may have written: what is no filter is left out. Returns the frame that it shows.
function readAddress() {
  let said = {};
  try { said = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}") || {}; } catch { /* no address of ours */ }
  filters.clear();
  for (const [name, filter] of Object.entries(said.f && typeof said.f === "object" ? said.f : {})) {
    const safe = main.facts.has(name) ? safeFilter(filter, main.facts.get(name).kind) : null;
    if (safe) filters.set(name, safe);
  }
  chosen.needle = typeof said.q === "string" ? said.q : "";
  const [sort, down] = Array.isArray(said.s) ? said.s : ["", false];
  chosen.sort = main.facts.has(sort) ? sort : ""; chosen.down = down === true;
  return Number.isInteger(said.v) && said.v >= 0 && said.v < main.count ? said.v : null;
}

function safeFilter(filter, kind) {
  if (!filter || typeof filter !== "object") return null;
  const safe = {}, { range, values, text, missing, not } = filter;
  if (kind === "number") {
    if (Array.isArray(range) && range.length === 2 && range.every(Number.isFinite)) safe.range = range;
    if (missing === true) safe.missing = true;
  } else {
    if (Array.isArray(values) && values.every((v) => v === NO_WORD || typeof v === "string")) safe.values = values;
    if (typeof text === "string" && text) safe.text = text;
  }
  if (not === true) safe.not = true;
  return safe.range || safe.values || safe.text || safe.missing ? safe : null;
}

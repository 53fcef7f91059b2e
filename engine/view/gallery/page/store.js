"use strict";
// The data of a dataset. A page opened from a disk may not fetch, but it may load scripts: each calls `chunk(name, json)`.
const TYPES = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };
const LABELS_KEPT = 6; // chunks of labels
const arrived = new Map(), underway = new Map();

function chunk(name, text) { arrived.set(name, JSON.parse(text)); }

function load(name) {
  if (arrived.has(name)) return Promise.resolve(arrived.get(name));
  if (!underway.has(name)) underway.set(name, new Promise((resolve, reject) => {
    const tag = document.createElement("script");
    tag.src = `${name}.js`;
    tag.onload = () => { tag.remove(); underway.delete(name); resolve(arrived.get(name)); };
    tag.onerror = () => {
      tag.remove(); underway.delete(name);
      say(`${name}.js is not there; make the page again`); // a page from a disk is told of no rejection that nobody handles
      reject(new Error(`${name}.js is not there`));
    };
    document.head.append(tag);
  }));
  return underway.get(name);
}

function unpack({ type, data }) {
  const text = atob(data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new TYPES[type](bytes.buffer);
}

function rowsOf(columns, begin, end) {
  const names = Object.keys(columns), rows = [];
  for (let n = begin; n < end; n++) {
    const row = Object.create(null);
    for (const name of names) row[name] = columns[name][n];
    rows.push(row);
  }
  return rows;
}

class Store {
  constructor(folder) {
    this.folder = folder;
    this.head = arrived.get(`${folder}/head`);
    this.count = this.head.count;
    this.facts = new Map(this.head.columns.map((facts, number) => [facts.name, { ...facts, number }]));
    this.classes = new Map(this.head.classes.map((c) => [c.id, c]));
    this.columns = new Map();
    this.recent = [];
  }

  // A column: `values` of every frame, for words their numbers in `words`; of a set, frame i has those from starts[i] to starts[i + 1].
  async column(name) {
    if (!this.columns.has(name)) {
      const data = await load(`${this.folder}/columns/${this.facts.get(name).number}`);
      arrived.delete(`${this.folder}/columns/${this.facts.get(name).number}`);
      if (!this.columns.has(name)) {
        const starts = data.starts && unpack(data.starts);
        this.columns.set(name, { ...data, ...this.facts.get(name), data: null, values: unpack(data), starts, folder: this.folder });
      }
    }
    return this.columns.get(name);
  }

  // Everything known of one frame.
  async frame(index) {
    let low = 0, high = this.head.starts.length - 1;
    while (low < high) { const middle = low + high + 1 >> 1; if (this.head.starts[middle] <= index) low = middle; else high = middle - 1; }
    const name = `${this.folder}/labels/${low}`, data = await load(name), place = index - this.head.starts[low];
    this.recent = [name, ...this.recent.filter((other) => other !== name)];
    for (const old of this.recent.splice(LABELS_KEPT)) arrived.delete(old);
    const [row] = rowsOf(data.frames, place, place + 1), [world] = rowsOf(data.worlds, data.world[place], data.world[place] + 1);
    const things = [];
    for (const kind of ["instances", "defects"]) {
      if (!data[kind]) continue;
      const { of, columns } = data[kind];
      for (const seen of rowsOf(columns, of[place], of[place + 1])) {
        things.push({ row: seen, kind: kind === "instances" ? "instance" : seen.near_miss ? "near miss" : "defect" });
      }
    }
    return { index, row, world, things, size: [row.width, row.height], picture: data.pictures[place], previews: data.previews[place], store: this };
  }

  // Puts a thumbnail into an element, as a part of its sheet.
  thumbnail(element, index, width, height) {
    const { columns, rows } = this.head.thumbs, place = index % (columns * rows), sheet = Math.floor(index / (columns * rows));
    const left = Math.min(this.count - sheet * columns * rows, columns * rows), high = Math.ceil(left / columns);
    element.style.backgroundImage = `url("${this.folder}/thumbs/${String(sheet).padStart(4, "0")}.jpg")`;
    element.style.backgroundSize = `${columns * width}px ${high * height}px`;
    element.style.backgroundPosition = `${-(place % columns) * width}px ${-Math.floor(place / columns) * height}px`;
  }
}

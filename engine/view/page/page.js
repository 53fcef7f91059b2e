// Everything shown comes from the JSON of this page; names are text (textContent), never markup.
const head = JSON.parse(document.getElementById("head").textContent);
const blocks = document.getElementsByClassName("frame");
const pictureBlocks = document.getElementsByClassName("pictures");
const ALL_OVERLAYS = [
  ["masks", "masks", (i) => i.mask],
  ["amodal", "silhouettes", (i) => i.amodal],
  ["boxes", "boxes", (i) => i.box],
  ["oriented", "oriented boxes", (i) => i.oriented],
  ["solids", "3D boxes", (i) => i.corners],
  ["points", "keypoints", (i) => i.points],
  ["names", "names", (i) => i.box],
];
const OVERLAYS = ALL_OVERLAYS.filter(([, , has]) => someInstance(has));
const COLUMNS = [
  ["class", (i) => className(i)], ["id", (i) => i.id], ["pixels", (i) => i.px], ["depth m", (i) => fixed(i.depth, 2)],
  ["hidden", (i) => percent(i.occlusion)], ["cut", (i) => percent(i.truncation)],
];
const LARGE = 0.5; // of the frame: boxes and masks of walls and floors would hide everything else
const FAR = 20; // frames; a corner beside the camera lies anywhere
const state = { index: 0, picture: "image", on: new Set(["masks", "boxes", "points", "names"]), off: new Set(), held: null, hover: null };
const element = (id) => document.getElementById(id);
const canvas = element("canvas");
const pen = canvas.getContext("2d");
let frame = null, image = null, layers = null, drawn = null, scale = 1; // drawn: the picture on the canvas

function someInstance(has) {
  for (const block of blocks) if (JSON.parse(block.textContent).instances.some(has)) return true;
  return false;
}
function className(instance) { const c = head.classes[instance.class]; return c ? c.name : "no class"; }
function fixed(value, digits) { return value === null || value === undefined ? "" : value.toFixed(digits); }
function percent(value) { return value === null || value === undefined ? "" : (100 * value).toFixed(0) + " %"; }
function colorOf(instance) { return head.classes[instance.class] ? head.classes[instance.class].color : [200, 200, 200]; }
function rgb(instance, alpha) {
  const c = colorOf(instance);
  return `rgb(${c[0]} ${c[1]} ${c[2]} / ${alpha})`;
}

function load(index) {
  state.index = Math.max(0, Math.min(blocks.length - 1, index));
  state.held = state.hover = null;
  frame = JSON.parse(blocks[state.index].textContent);
  frame.pictures = JSON.parse(pictureBlocks[state.index].textContent);
  layers = null;
  const names = Object.keys(frame.pictures);
  if (!names.includes(state.picture)) state.picture = names[0];
  element("slider").value = state.index;
  element("count").textContent = `${state.index + 1} / ${blocks.length}`;
  element("caption").textContent =
    `world ${frame.world}   step ${frame.step}   camera ${frame.camera}   ${frame.size[0]} x ${frame.size[1]} px   ${frame.instances.length} instances`;
  fillPictures(names); fillRows(); show();
}

function show() {
  const wanted = new Image();
  wanted.onload = () => { if (wanted === image) { fit(); } };
  image = wanted;
  wanted.src = frame.pictures[state.picture];
}

function fit() {
  const room = element("frame"), ratio = window.devicePixelRatio || 1;
  const wide = room.clientWidth, high = window.innerWidth <= 900 ? Infinity : room.clientHeight;
  const factor = Math.max(0.05, Math.min(wide / frame.size[0], high / frame.size[1]));
  canvas.style.width = `${frame.size[0] * factor}px`; canvas.style.height = `${frame.size[1] * factor}px`;
  canvas.width = Math.round(frame.size[0] * factor * ratio); canvas.height = Math.round(frame.size[1] * factor * ratio);
  scale = canvas.width / frame.size[0];
  draw();
}

function shownInstances() { return frame.instances.filter((i) => !state.off.has(i.class)); }

function paintLayers() {
  layers = new Map();
  for (const instance of frame.instances) {
    layers.set(instance, { mask: instance.mask ? paint(instance.mask, colorOf(instance), true) : null, amodal: null });
  }
}

function blit(area, mask, alpha) {
  pen.globalAlpha = alpha;
  pen.imageSmoothingEnabled = false;
  pen.drawImage(area, mask[0] * scale, mask[1] * scale, mask[2] * scale, mask[3] * scale);
  pen.globalAlpha = 1;
}

function path(points, close) {
  pen.beginPath();
  points.forEach(([x, y], n) => n ? pen.lineTo(x * scale, y * scale) : pen.moveTo(x * scale, y * scale));
  if (close) pen.closePath();
  pen.stroke();
}

function draw() {
  if (!layers) paintLayers();
  pen.imageSmoothingEnabled = true;
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  drawn = image.complete ? image : null;
  const ratio = window.devicePixelRatio || 1, all = shownInstances().sort((a, b) => (b.px || 0) - (a.px || 0));
  const held = state.held || state.hover, some = held ? all.filter((i) => i === held) : all;
  const large = LARGE * frame.size[0] * frame.size[1], opacity = element("opacity").value / 100;
  pen.lineWidth = 1.6 * ratio; pen.lineJoin = "round";
  for (const instance of some) {
    const layer = layers.get(instance), isLarge = instance.box[2] * instance.box[3] >= large && instance !== held;
    pen.strokeStyle = rgb(instance, isLarge ? 0.35 : 1);
    if (state.on.has("masks") && layer.mask) {
      if (!isLarge) blit(layer.mask.area, instance.mask, opacity);
      blit(layer.mask.edge, instance.mask, isLarge ? 0.5 : 0.75);
    }
    if (state.on.has("amodal") && instance.amodal && !isLarge) {
      layer.amodal = layer.amodal || paint(instance.amodal, colorOf(instance), false);
      blit(layer.amodal.edge, instance.amodal, 1);
    }
    if (state.on.has("boxes")) { const [x, y, w, h] = instance.box; path([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], true); }
    if (state.on.has("oriented") && instance.oriented && instance.oriented.every(known)) path(instance.oriented, true);
    if (state.on.has("solids") && instance.corners) drawSolid(instance);
  }
  for (const instance of some) if (state.on.has("points") && instance.points) drawPoints(instance, ratio);
  const taken = [];
  if (state.on.has("names")) for (const instance of some) drawName(instance, ratio, instance === held, taken);
}

function known(point) { return point.every((v) => v !== null && Math.abs(v) < FAR * Math.max(...frame.size)); }

function drawSolid(instance) {
  for (const [a, b] of EDGES) {
    if (!known(instance.corners[a]) || !known(instance.corners[b])) continue;
    pen.strokeStyle = a & 4 && b & 4 ? "#fff" : rgb(instance, 1);
    path([instance.corners[a], instance.corners[b]], false);
  }
}

function drawPoints(instance, ratio) {
  const kind = head.classes[instance.class];
  pen.strokeStyle = rgb(instance, 1);
  for (const [a, b] of kind ? kind.skeleton : []) {
    const from = instance.points[a], to = instance.points[b];
    if (from && to && from[2] > 0 && to[2] > 0) path([from, to], false);
  }
  for (const [x, y, v] of instance.points) {
    if (!(v > 0)) continue;
    pen.beginPath(); pen.arc(x * scale, y * scale, 4 * ratio, 0, 2 * Math.PI);
    pen.fillStyle = v === 2 ? rgb(instance, 1) : "#000"; pen.fill();
    pen.strokeStyle = "#fff"; pen.stroke();
  }
}

function drawName(instance, ratio, always, taken) {
  const [x, y, w, h] = instance.box, size = 11 * ratio, text = className(instance).slice(0, 40);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const wide = pen.measureText(text).width + 8 * ratio, high = size + 5 * ratio;
  if (!always && (wide > w * scale * 1.3 || high * 2 > h * scale)) return;
  const left = Math.min(Math.max(0, x * scale), canvas.width - wide), top = Math.max(0, y * scale - (y * scale > high ? high : 0));
  if (taken.some(([l, t, r, b]) => left < r && l < left + wide && top < b && t < top + high)) return;
  taken.push([left, top, left + wide, top + high]);
  pen.fillStyle = rgb(instance, 0.92); pen.fillRect(left, top, wide, high);
  pen.fillStyle = "#000"; pen.fillText(text, left + 4 * ratio, top + size + 1 * ratio);
}

function fillPictures(names) {
  element("pictures").replaceChildren(...(names.length < 2 ? [] : names.map((name) => {
    const button = make("button", name);
    button.setAttribute("role", "radio"); button.setAttribute("aria-checked", String(name === state.picture));
    button.onclick = () => { state.picture = name; fillPictures(names); show(); };
    return button;
  })));
}

function fillOverlays() {
  element("overlays").replaceChildren(...OVERLAYS.map(([key, name], n) => {
    const button = make("button", name);
    button.append(make("kbd", String(n + 1)));
    button.dataset.overlay = key;
    button.setAttribute("aria-pressed", String(state.on.has(key)));
    button.onclick = () => toggle(key);
    return button;
  }));
}

function toggle(key) {
  if (!state.on.delete(key)) state.on.add(key);
  for (const button of element("overlays").children) button.setAttribute("aria-pressed", String(state.on.has(button.dataset.overlay)));
  draw();
}

function fillClasses() {
  const counts = new Map();
  for (const block of blocks) for (const i of JSON.parse(block.textContent).instances) counts.set(i.class, (counts.get(i.class) || 0) + 1);
  element("classes").replaceChildren(...[...counts.keys()].sort((a, b) => a - b).map((index) => {
    const button = make("button", ""), dot = make("span", "");
    dot.className = "dot"; dot.style.background = rgb({ class: index }, 1);
    button.append(dot, `${className({ class: index })}  ${counts.get(index)}`);
    button.dataset.class = index;
    button.setAttribute("aria-pressed", "true");
    button.onclick = () => { if (!state.off.delete(index)) state.off.add(index); filter(); };
    return button;
  }));
}

function filter() {
  for (const button of element("classes").children) button.setAttribute("aria-pressed", String(!state.off.has(Number(button.dataset.class))));
  if (state.held && state.off.has(state.held.class)) state.held = null;
  fillRows(); draw();
}

function fillRows() {
  const used = COLUMNS.filter(([, value], n) => n < 2 || frame.instances.some((i) => value(i) !== "" && value(i) !== null));
  element("columns").replaceChildren(...used.map(([name]) => make("th", name)));
  element("rows").replaceChildren(...frame.instances.map((instance) => {
    const row = document.createElement("tr");
    for (const [, value] of used) row.append(make("td", String(value(instance) ?? "")));
    const dot = make("span", ""); dot.className = "dot"; dot.style.background = rgb(instance, 1);
    row.firstChild.prepend(dot);
    row.title = instance.path;
    row.classList.toggle("off", state.off.has(instance.class));
    row.classList.toggle("held", state.held === instance);
    row.onmouseenter = () => { state.hover = instance; draw(); };
    row.onmouseleave = () => { state.hover = null; draw(); };
    row.onclick = () => hold(instance);
    return row;
  }));
}

function hold(instance) {
  state.held = state.held === instance || (instance && state.off.has(instance.class)) ? null : instance;
  state.hover = null;
  [...element("rows").children].forEach((row, n) => {
    row.classList.toggle("held", frame.instances[n] === state.held);
    if (frame.instances[n] === state.held) row.scrollIntoView({ block: "nearest" });
  });
  draw();
}

// The object under a place: by masks, otherwise the smallest box around it.
function objectAt(x, y) {
  const hits = shownInstances().filter((i) => {
    const layer = layers.get(i);
    if (!layer.mask) return x >= i.box[0] && y >= i.box[1] && x < i.box[0] + i.box[2] && y < i.box[1] + i.box[3];
    const column = Math.floor(x) - i.mask[0], line = Math.floor(y) - i.mask[1];
    return column >= 0 && line >= 0 && column < i.mask[2] && line < i.mask[3] && layer.mask.bits[column * i.mask[3] + line];
  });
  return hits.sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3])[0] || null;
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === element("opacity") && /^(Arrow|Home|End)/.test(event.key)) return; // moves the slider
  const actions = {
    ArrowRight: () => load(state.index + 1), ArrowLeft: () => load(state.index - 1), Home: () => load(0),
    End: () => load(blocks.length - 1), Escape: () => hold(null), a: () => { state.off.clear(); filter(); }, p: nextPicture,
  };
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key, digit = Number(name);
  if (actions[name]) actions[name]();
  else if (digit >= 1 && digit <= OVERLAYS.length) toggle(OVERLAYS[digit - 1][0]);
  else return;
  event.preventDefault();
}

function nextPicture() {
  const names = Object.keys(frame.pictures);
  state.picture = names[(names.indexOf(state.picture) + 1) % names.length];
  fillPictures(names); show();
}

element("title").textContent = head.name;
if (!blocks.length) {
  element("empty").hidden = false;
} else {
  element("slider").max = blocks.length - 1;
  element("slider").oninput = (event) => load(Number(event.target.value));
  element("previous").onclick = () => load(state.index - 1);
  element("next").onclick = () => load(state.index + 1);
  element("opacity").oninput = draw;
  canvas.onclick = (event) => {
    const box = canvas.getBoundingClientRect();
    const factor = frame.size[0] / box.width;
    hold(objectAt((event.clientX - box.left) * factor, (event.clientY - box.top) * factor));
  };
  document.addEventListener("keydown", key);
  window.addEventListener("resize", () => { if (image && image.complete) fit(); });
  fillOverlays(); fillClasses(); load(0);
}

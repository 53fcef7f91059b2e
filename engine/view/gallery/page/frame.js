"use strict";
// One frame over the whole window, beside it the other dataset's, if there is one.
const stage = { index: null, frame: null, partner: null, role: "image", held: null, hover: null, panes: [], mode: "beside", mix: 0.5, turn: 0 };
const pairs = arrived.get("data/pairs") || null;
const partners = pairs && { partner: unpack(pairs.partner), distance: pairs.distance && unpack(pairs.distance) };

function shownFrame() { return stage.index; }

async function openFrame(index) {
  const mine = ++stage.turn, isNew = stage.index === null;
  if (isNew) { stage.before = document.activeElement; Object.assign(eye, { zoom: 1, x: 0.5, y: 0.5 }); }
  stage.index = index;
  element("view").hidden = false; element("browse").inert = true;
  if (isNew) element("close").focus();
  writeAddress();
  const place = partners ? partners.partner[index] : -1;
  const [frame, partner] = await Promise.all([main.frame(index), other && place >= 0 ? other.frame(place) : null]);
  if (mine !== stage.turn) return;
  Object.assign(stage, { frame, partner, held: null, hover: null });
  const at = chosen.order.indexOf(index);
  grid.active = at >= 0 ? at : grid.active;
  element("place").textContent = at >= 0 ? `${at + 1} / ${chosen.order.length}` : `not chosen / ${chosen.order.length}`;
  element("caption").textContent = `frame ${frame.row.frame_id}   world ${frame.row.world}   step ${frame.row.step}   camera ${frame.row.camera}   ${frame.size.join(" x ")} px   ${frame.things.length} label${frame.things.length === 1 ? "" : "s"}`;
  if (stage.role !== "image" && !frame.previews[stage.role]) stage.role = "image";
  fillRoles(); fillOverlays(); fillClasses(); fillFacts(frame); fillThings(frame); fillThing(frame, null); showPictures();
}

function closeFrame() {
  if (stage.index === null) return;
  stage.index = null; stage.turn += 1; stage.frame = null;
  stopBlinking();
  element("view").hidden = true; element("browse").inert = false;
  writeAddress();
  moveTo(grid.active);
  (stage.before && stage.before.isConnected ? stage.before : element("grid")).focus();
}

function step(by) {
  const at = chosen.order.indexOf(stage.index), next = at + by;
  if (next >= 0 && next < chosen.order.length) openFrame(chosen.order[next]);
}

function sourceOf(frame) { return stage.role === "image" ? frame.picture : (frame.previews[stage.role] || {}).src || null; }

function showPictures() {
  const { frame, partner, panes, mode } = stage, [first, second] = panes;
  first.show(frame, sourceOf(frame));
  first.title.hidden = !other;
  if (other) {
    const distance = partners.distance ? `, ${pairs.kind}, distance ${short(partners.distance[frame.index])}` : "";
    first.title.textContent = `${main.head.name} (${main.head.origin}): frame ${frame.row.frame_id}`;
    second.title.textContent = partner ? `${other.head.name} (${other.head.origin}): frame ${partner.row.frame_id}${distance}` : `${other.head.name}: no frame of this world, step and camera`;
    if (partner) second.show(partner, sourceOf(partner));
    second.root.hidden = !partner && mode !== "beside" || mode !== "beside";
    second.room.hidden = !partner;
    const laid = partner && mode !== "beside" ? sourceOf(partner) : null;
    first.under.hidden = !laid;
    if (laid) first.under.src = laid;
    first.room.classList.toggle("difference", mode === "difference" && Boolean(laid));
    first.picture.style.opacity = mode === "blend" && laid ? stage.mix : 1;
    if (laid) first.title.textContent += `   over   ${second.title.textContent}`;
  }
  fillLegend(frame, stage.role);
  drawPanes();
}

function setMode(mode) {
  stage.mode = mode;
  stopBlinking();
  for (const button of element("modes").children) button.setAttribute("aria-checked", String(button.dataset.mode === mode));
  element("mix").parentElement.hidden = mode !== "blend";
  showPictures();
}

function setMix(mix) { stage.mix = mix; element("mix").value = Math.round(100 * mix); showPictures(); }
function blink() { if (other) { if (stage.mode !== "blend") setMode("blend"); setMix(stage.mix >= 0.5 ? 0 : 1); } }
function startBlinking() { setMode("blend"); stage.blinking = setInterval(blink, 600); }
function stopBlinking() { clearInterval(stage.blinking); stage.blinking = null; }

function radio(group, value, isOn, text, act) {
  const button = make("button", text);
  button.setAttribute("role", "radio"); button.setAttribute("aria-checked", String(isOn));
  button.dataset[group] = value;
  button.onclick = act;
  return button;
}

function fillRoles() {
  const roles = [["image", "image"], ...main.head.roles.filter(({ role }) => stage.frame.previews[role]).map(({ role, words }) => [role, words])];
  element("roles").replaceChildren(...(roles.length < 2 ? [] : roles.map(([role, words]) => radio("role", role, role === stage.role, words, () => setRole(role)))));
}

function setRole(role) {
  stage.role = role;
  for (const button of element("roles").children) button.setAttribute("aria-checked", String(button.dataset.role === role));
  showPictures();
}

function nextRole() {
  const names = [...element("roles").children].map((button) => button.dataset.role);
  if (names.length) setRole(names[(names.indexOf(stage.role) + 1) % names.length]);
}

function overlaysThere() {
  const things = [...stage.frame.things, ...(stage.partner ? stage.partner.things : [])];
  return OVERLAYS.filter(([, , has]) => things.some((thing) => has(thing.row, thing.kind)));
}

function fillOverlays() {
  const held = document.activeElement && document.activeElement.dataset.overlay;
  element("overlays").replaceChildren(...overlaysThere().map(([key, words], n) => {
    const button = make("button", words);
    button.append(make("kbd", String(n + 1)));
    button.dataset.overlay = key;
    button.setAttribute("aria-pressed", String(marks.on.has(key)));
    button.onclick = () => toggleOverlay(key);
    return button;
  }));
  if (held) element("overlays").querySelector(`[data-overlay="${held}"]`)?.focus();
}

function toggleOverlay(key) {
  if (!marks.on.delete(key)) marks.on.add(key);
  for (const button of element("overlays").children) button.setAttribute("aria-pressed", String(marks.on.has(button.dataset.overlay)));
  markThings(stage.frame); drawPanes();
}

function fillClasses() {
  const counts = new Map();
  for (const thing of stage.frame.things) counts.set(thing.row.class_id, (counts.get(thing.row.class_id) || 0) + 1);
  const held = document.activeElement && document.activeElement.dataset.class;
  element("classes").replaceChildren(...[...counts.keys()].sort((a, b) => a - b).map((id) => {
    const thing = stage.frame.things.find((one) => one.row.class_id === id), button = make("button", ""), dot = make("span", "");
    dot.className = "dot"; dot.style.background = ink(stage.frame, thing, 1);
    button.append(dot, `${nameOf(stage.frame, thing)}  ${counts.get(id)}`);
    button.dataset.class = id;
    button.setAttribute("aria-pressed", String(!marks.off.has(id)));
    button.onclick = () => { if (!marks.off.delete(id)) marks.off.add(id); classesChanged(); };
    return button;
  }));
  if (held) element("classes").querySelector(`[data-class="${Number(held)}"]`)?.focus();
}

function classesChanged() {
  if (stage.held && !isShown(stage.held)) stage.held = null;
  fillClasses(); markThings(stage.frame); drawPanes();
}

function hover(thing, pane, x, y) {
  element("pointer").textContent = pane ? `x ${x.toFixed(1)}  y ${y.toFixed(1)}${thing ? `  ${titleOf(pane.frame, thing)}` : ""}` : "";
  if (stage.hover === thing) return;
  stage.hover = thing;
  if (!stage.held) { fillThing(pane ? pane.frame : stage.frame, thing); drawPanes(); }
}

function hold(thing) {
  const isOff = !thing || thing === stage.held || !isShown(thing), frame = thing && stage.partner && stage.partner.things.includes(thing) ? stage.partner : stage.frame;
  stage.held = isOff ? null : thing; stage.hover = null;
  fillThing(frame, stage.held);
  markThings(stage.frame);
  if (stage.held && stage.held.line) stage.held.line.scrollIntoView({ block: "nearest" });
  drawPanes();
}

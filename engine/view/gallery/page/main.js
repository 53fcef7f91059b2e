"use strict";
// Names of data are put into the page as text (textContent), never as markup.
function say(text) { element("status").textContent = text; }

function fillCounts() {
  const all = main.count.toLocaleString("en"), some = chosen.order.length.toLocaleString("en");
  element("counts").textContent = chosen.order.length === main.count ? `${all} frames` : `${some} of ${all} frames`;
  element("reset").hidden = !filters.size && !chosen.needle;
  if (document.activeElement !== element("search")) element("search").value = chosen.needle;
  element("sort").value = chosen.sort;
  element("direction").textContent = chosen.down ? "down" : "up";
  element("direction").setAttribute("aria-pressed", String(chosen.down));
}

function fillSort() {
  const option = (value, text) => { const item = make("option", text); item.value = value; return item; };
  element("sort").replaceChildren(option("", "index"), ...main.head.columns.filter((c) => !c.constant).map((c) => option(c.name, c.name)));
}

async function showCondition() {
  element("condition").value = await condition();
  element("copied").textContent = "";
  element("sql").showModal();
  element("condition").select();
}

async function copyCondition() {
  element("condition").select();
  try { await navigator.clipboard.writeText(element("condition").value); } catch { document.execCommand("copy"); }
  element("copied").textContent = "copied";
}

function reset() { filters.clear(); chosen.needle = ""; element("search").value = ""; return refresh(); }

function wire() {
  let painting = 0, waiting = 0;
  element("grid").addEventListener("scroll", () => { painting ||= requestAnimationFrame(() => { painting = 0; drawGrid(); }); }, { passive: true });
  element("grid").onkeydown = gridKey;
  element("search").oninput = () => { clearTimeout(waiting); waiting = setTimeout(() => { chosen.needle = element("search").value; refresh(); }, 120); };
  element("column-search").oninput = () => searchColumns(element("column-search").value);
  element("sort").onchange = () => { chosen.sort = element("sort").value; refresh(); };
  element("direction").onclick = () => { chosen.down = !chosen.down; refresh(); };
  element("size").oninput = () => { grid.size = Number(element("size").value) / 100; layGrid(); moveTo(grid.active); };
  element("reset").onclick = reset;
  element("show-sql").onclick = showCondition;
  element("copy").onclick = copyCondition;
  for (const name of ["help", "sql"]) element(name).querySelector(".close").onclick = () => element(name).close();
  element("show-help").onclick = element("frame-help").onclick = () => element("help").showModal();
  element("close").onclick = closeFrame;
  element("previous").onclick = () => step(-1);
  element("next").onclick = () => step(1);
  element("opacity").oninput = () => { marks.opacity = element("opacity").value / 100; drawPanes(); };
  element("mix").oninput = () => { stopBlinking(); setMix(element("mix").value / 100); };
  element("blink").onclick = () => (stage.blinking ? stopBlinking() : startBlinking());
  document.addEventListener("keydown", anyKey);
  new ResizeObserver(() => { layGrid(); }).observe(element("grid"));
  window.addEventListener("resize", drawPanes);
  window.addEventListener("hashchange", start);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawPanel);
}

function wireCompare() {
  stage.panes = [new Pane(main.head.name), ...(other ? [new Pane(other.head.name)] : [])];
  element("panes").append(...stage.panes.map((pane) => pane.root));
  element("compare").hidden = !other;
  const modes = [["beside", "side by side"], ["blend", "blend"], ["difference", "difference"]];
  element("modes").replaceChildren(...modes.map(([mode, words]) => radio("mode", mode, mode === stage.mode, words, () => setMode(mode))));
  element("mix").parentElement.hidden = true;
}

async function start() {
  const frame = readAddress();
  await refresh();
  if (frame !== null) await openFrame(frame); else if (stage.index !== null) closeFrame();
}

element("title").textContent = other ? `${main.head.name} and ${other.head.name}` : main.head.name;
element("key-rows").append(...KEYS.map(([keys, what]) => {
  const row = document.createElement("tr");
  row.append(make("th", keys), make("td", what));
  return row;
}));
element("other-key").hidden = !other;
if (other) element("other-key").textContent = `line and second count: ${other.head.name}`;
listeners.push(fillCounts, redrawGrid, redrawPanel);
fillSort(); wire(); wireCompare();
readAddress(); buildPanel();
const ready = start();

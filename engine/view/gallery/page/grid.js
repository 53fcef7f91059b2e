"use strict";
// Thumbnails of the chosen frames: only those in sight are elements, which move to other places as the list scrolls.
const CAPTION_PX = 18, GAP_PX = 6, SPARE_ROWS = 2;
const grid = { active: 0, cells: [], columns: 1, rowHeight: 100, size: 1, sorted: null };
const element = (id) => document.getElementById(id);

function cellSize() {
  const { width, height } = main.head.thumbs;
  return [Math.round(width * grid.size), Math.round(height * grid.size)];
}

function layGrid() {
  const room = element("grid"), [width, height] = cellSize();
  grid.columns = Math.max(1, Math.floor((room.clientWidth - GAP_PX) / (width + GAP_PX)));
  grid.rowHeight = height + CAPTION_PX + GAP_PX;
  element("extent").style.height = `${Math.ceil(chosen.order.length / grid.columns) * grid.rowHeight + GAP_PX}px`;
  grid.active = Math.max(0, Math.min(grid.active, chosen.order.length - 1));
  drawGrid();
}

function newCell() {
  const cell = make("div", ""), picture = make("div", ""), caption = make("span", "");
  cell.className = "cell"; picture.className = "thumb"; caption.className = "caption";
  cell.setAttribute("role", "option");
  cell.append(picture, caption);
  cell.onclick = () => openFrame(chosen.order[Number(cell.dataset.place)]);
  element("extent").append(cell);
  return { cell, picture, caption, place: -1, frame: -1 };
}

function drawGrid() {
  const room = element("grid"), [width, height] = cellSize();
  const first = Math.max(0, Math.floor(room.scrollTop / grid.rowHeight) - SPARE_ROWS) * grid.columns;
  const rows = Math.ceil(room.clientHeight / grid.rowHeight) + 1 + 2 * SPARE_ROWS, count = Math.max(0, Math.min(rows * grid.columns, chosen.order.length - first));
  while (grid.cells.length < count) grid.cells.push(newCell());
  while (grid.cells.length > Math.max(count, rows * grid.columns)) grid.cells.pop().cell.remove();
  grid.cells.forEach((part, n) => {
    const place = first + (n - first % grid.cells.length + grid.cells.length) % grid.cells.length; // a frame keeps its element while it is in sight
    const isShown = place < first + count;
    part.cell.hidden = !isShown;
    if (isShown) fillCell(part, place, chosen.order[place], width, height);
  });
  if (chosen.order.length) element("grid").setAttribute("aria-activedescendant", `cell-${grid.active}`); else element("grid").removeAttribute("aria-activedescendant");
  element("none").hidden = chosen.order.length > 0;
}

function fillCell(part, place, frame, width, height) {
  const { cell, picture, caption } = part, isActive = place === grid.active;
  const left = GAP_PX + place % grid.columns * (width + GAP_PX), top = GAP_PX + Math.floor(place / grid.columns) * grid.rowHeight;
  cell.style.transform = `translate(${left}px, ${top}px)`;
  cell.classList.toggle("active", isActive);
  cell.setAttribute("aria-selected", String(isActive));
  const text = captionOf(frame);
  if (caption.textContent !== text) caption.textContent = text;
  if (part.place !== place || part.frame !== frame || part.width !== width || part.total !== chosen.order.length) {
    cell.dataset.place = place; cell.id = `cell-${place}`;
    cell.setAttribute("aria-posinset", place + 1); cell.setAttribute("aria-setsize", chosen.order.length); cell.setAttribute("aria-label", `frame ${text}`);
    cell.style.width = picture.style.width = `${width}px`; picture.style.height = `${height}px`;
    main.thumbnail(picture, frame, width, height);
    Object.assign(part, { place, frame, width, total: chosen.order.length });
  }
}

// The number of a frame, and what the frames are sorted by.
function captionOf(frame) {
  const column = grid.sorted;
  if (!column) return String(frame);
  if (column.kind === "number") return `${frame}  ${short(column.values[frame])}`;
  if (column.kind === "set") return `${frame}  ${column.starts[frame + 1] - column.starts[frame]}`;
  return `${frame}  ${column.words[column.values[frame]] ?? "none"}`;
}

async function redrawGrid() {
  const before = grid.shown;
  grid.sorted = chosen.sort && main.facts.has(chosen.sort) ? await main.column(chosen.sort) : null;
  grid.shown = chosen.order;
  if (before && (before.length !== chosen.order.length || before.some((f, n) => f !== chosen.order[n]))) { element("grid").scrollTop = 0; grid.active = 0; }
  layGrid();
}

function moveTo(place) {
  if (!chosen.order.length) return;
  grid.active = Math.max(0, Math.min(chosen.order.length - 1, place));
  const room = element("grid"), top = Math.floor(grid.active / grid.columns) * grid.rowHeight;
  if (top < room.scrollTop) room.scrollTop = top;
  else if (top + grid.rowHeight + GAP_PX > room.scrollTop + room.clientHeight) room.scrollTop = top + grid.rowHeight + GAP_PX - room.clientHeight;
  drawGrid();
}

function gridKey(event) {
  const page = Math.max(1, Math.floor(element("grid").clientHeight / grid.rowHeight)) * grid.columns, { active, columns } = grid;
  const places = {
    ArrowLeft: active - 1, ArrowRight: active + 1, ArrowUp: active - columns, ArrowDown: active + columns,
    PageUp: active - page, PageDown: active + page, Home: 0, End: chosen.order.length - 1,
  };
  if (event.key in places) moveTo(places[event.key]);
  else if (event.key === "Enter" || event.key === " ") { if (chosen.order.length) openFrame(chosen.order[active]); }
  else return;
  event.preventDefault();
}

"use strict";
// Panes: a picture, over it a canvas with labels; all panes share zoom and place, as shares of their frames.
const MOST_ZOOM = 40, PIXELATED_FROM = 3; // screen pixels a pixel from which they are shown as squares
const eye = { zoom: 1, x: 0.5, y: 0.5 };

class Pane {
  constructor(title) {
    this.root = make("div", ""); this.title = make("p", title); this.under = document.createElement("img"); this.picture = document.createElement("img");
    this.canvas = document.createElement("canvas"); this.pen = this.canvas.getContext("2d");
    this.room = make("div", "");
    this.root.className = "pane"; this.title.className = "faint"; this.room.className = "room"; this.under.hidden = true;
    this.picture.alt = this.under.alt = "";
    this.room.append(this.under, this.picture, this.canvas);
    this.root.append(this.title, this.room);
    this.frame = null;
    this.room.onpointerdown = (event) => this.press(event);
    this.room.onpointermove = (event) => this.move(event);
    this.room.onpointerup = (event) => this.release(event);
    this.room.onpointerleave = () => hover(null, null);
    this.room.addEventListener("wheel", (event) => { event.preventDefault(); this.zoomAt(event, Math.exp(-event.deltaY / 400)); }, { passive: false });
    for (const image of [this.picture, this.under]) image.onload = () => drawPanes();
  }

  show(frame, source) {
    this.frame = frame;
    if (source) { if (this.picture.getAttribute("src") !== source) this.picture.src = source; } else this.picture.removeAttribute("src");
    this.room.classList.toggle("bare", !source);
  }

  // Where the frame lies in the pane, in pixels of the screen.
  at() {
    const { clientWidth, clientHeight } = this.room, [width, height] = this.frame.size;
    const scale = Math.min(clientWidth / width, clientHeight / height) * eye.zoom;
    return { scale, x: clientWidth / 2 - eye.x * width * scale, y: clientHeight / 2 - eye.y * height * scale };
  }

  draw() {
    if (!this.frame) return;
    const at = this.at(), ratio = window.devicePixelRatio || 1, [width, height] = this.frame.size;
    for (const image of [this.picture, this.under]) {
      image.style.width = `${width}px`; image.style.height = `${height}px`;
      image.style.transform = `translate(${at.x}px, ${at.y}px) scale(${at.scale})`;
      image.style.imageRendering = at.scale >= PIXELATED_FROM ? "pixelated" : "auto";
    }
    this.canvas.width = Math.round(this.room.clientWidth * ratio); this.canvas.height = Math.round(this.room.clientHeight * ratio);
    const held = stage.held && this.frame.things.includes(stage.held) ? stage.held : stage.hover && this.frame.things.includes(stage.hover) ? stage.hover : null;
    drawMarks(this.pen, this.frame, { scale: at.scale * ratio, x: at.x * ratio, y: at.y * ratio }, held);
  }

  placeOf(event) {
    const box = this.room.getBoundingClientRect(), at = this.at();
    return [(event.clientX - box.left - at.x) / at.scale, (event.clientY - box.top - at.y) / at.scale];
  }

  zoomAt(event, factor) {
    if (!this.frame) return;
    const [x, y] = this.placeOf(event), [width, height] = this.frame.size, before = eye.zoom;
    eye.zoom = Math.max(1, Math.min(MOST_ZOOM, eye.zoom * factor));
    const share = 1 - before / eye.zoom; // the place under the pointer stays
    eye.x += (x / width - eye.x) * share; eye.y += (y / height - eye.y) * share;
    keepInside(); drawPanes();
  }

  press(event) { this.begun = { x: event.clientX, y: event.clientY, eye: { ...eye }, moved: false }; this.room.setPointerCapture(event.pointerId); }

  move(event) {
    if (!this.frame) return;
    if (this.begun) {
      const dx = event.clientX - this.begun.x, dy = event.clientY - this.begun.y, { scale } = this.at();
      if (Math.hypot(dx, dy) > 3) this.begun.moved = true;
      if (this.begun.moved) {
        eye.x = this.begun.eye.x - dx / scale / this.frame.size[0]; eye.y = this.begun.eye.y - dy / scale / this.frame.size[1];
        keepInside(); drawPanes();
      }
    } else { const [x, y] = this.placeOf(event); hover(thingAt(this.frame, x, y), this, x, y); }
  }

  release(event) {
    const { begun } = this;
    this.begun = null;
    if (begun && !begun.moved && this.frame) hold(thingAt(this.frame, ...this.placeOf(event)));
  }
}

function keepInside() {
  const half = 0.5 / eye.zoom;
  eye.x = Math.max(half, Math.min(1 - half, eye.x)); eye.y = Math.max(half, Math.min(1 - half, eye.y));
}

function drawPanes() { for (const pane of stage.panes) if (!pane.root.hidden) pane.draw(); }

function zoomBy(factor) { eye.zoom = factor ? Math.max(1, Math.min(MOST_ZOOM, eye.zoom * factor)) : 1; keepInside(); drawPanes(); }
function shift(dx, dy) { eye.x += dx / eye.zoom; eye.y += dy / eye.zoom; keepInside(); drawPanes(); }

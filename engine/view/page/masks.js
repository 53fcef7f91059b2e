"use strict";
// Masks and boxes in space, and elements that hold text: what both pages need.
const EDGES = [];
for (let a = 0; a < 8; a++) for (let axis = 0; axis < 3; axis++) if (!(a >> axis & 1)) EDGES.push([a, a | 1 << axis]);
function make(tag, text) { const e = document.createElement(tag); e.textContent = text; return e; }

// COCO's compressed counts: 5 bits a character above 48, bit 5: more follow; from the fourth on, differences to the last but one.
function runsOf(counts) {
  const runs = [];
  let value = 0, shift = 0;
  for (let i = 0; i < counts.length; i++) {
    const bits = counts.charCodeAt(i) - 48;
    value += (bits & 31) * 2 ** shift; shift += 5;
    if (bits & 32) continue;
    if (bits & 16) value -= 2 ** shift;
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value); value = 0; shift = 0;
  }
  return runs;
}

function decode(mask) {
  const [, , width, height, counts] = mask, total = width * height, out = new Uint8Array(total), runs = runsOf(counts);
  for (let n = 0, place = 0; n < runs.length; n++) {
    const end = Math.min(total, place + Math.max(0, runs[n]));
    if (n % 2) out.fill(1, place, end);
    place = end;
  }
  return out; // by columns
}

// A mask as pictures: filled, where it is wanted, and its outline.
function paint(mask, color, filled) { return tint(decode(mask), mask[2], mask[3], color, filled); }

function tint(bits, width, height, color, filled) {
  const fill = filled ? new Uint32Array(width * height) : null, edge = new Uint32Array(width * height);
  const ink = new Uint32Array(new Uint8Array([...color, 255]).buffer)[0]; // whatever the order of bytes
  for (let x = 0, from = 0; x < width; x++, from += height) for (let y = 0, p = from; y < height; y++, p++) {
    if (!bits[p]) continue;
    const isInside = x > 0 && y > 0 && x < width - 1 && y < height - 1 && bits[p - 1] && bits[p + 1] && bits[p - height] && bits[p + height];
    if (!isInside) edge[y * width + x] = ink;
    if (fill) fill[y * width + x] = ink;
  }
  return { area: fill && picture(fill, width, height), edge: picture(edge, width, height), bits };
}

function picture(pixels, width, height) {
  const area = document.createElement("canvas");
  area.width = Math.max(1, width); area.height = Math.max(1, height);
  if (pixels.length) area.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
  return area;
}

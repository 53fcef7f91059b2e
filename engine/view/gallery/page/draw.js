"use strict";
// Labels of a frame drawn on a canvas of their own over its picture, which a page opened from a disk may show but not read.
const OVERLAYS = [
  ["masks", "masks", (row) => row.rle], ["amodal", "silhouettes", (row) => row.amodal_rle], ["boxes", "boxes", (row) => row.bbox],
  ["oriented", "oriented boxes", (row) => row.oriented_box], ["solids", "3D boxes", (row) => row.corners_px],
  ["points", "keypoints", (row) => row.keypoints && row.keypoints.length], ["names", "names", (row) => row.bbox],
  ["defects", "defects", (row, kind) => kind === "defect"], ["misses", "near-misses", (row, kind) => kind === "near miss"],
];
const LARGE = 0.5; // of the frame: boxes and masks of walls and floors would hide everything else
const FAR = 20; // frames; a corner beside the camera lies anywhere
const NO_CLASS = [200, 200, 200];
const marks = { on: new Set(["masks", "boxes", "points", "names", "defects", "misses"]), off: new Set([0]), opacity: 0.4 };

function classOf(frame, thing) { return frame.store.classes.get(thing.row.class_id); }
function nameOf(frame, thing) { const c = classOf(frame, thing); return c ? c.name : thing.row.class || "no class"; }
function colorOf(frame, thing) { const c = classOf(frame, thing); return c ? c.color : NO_CLASS; }
function ink(frame, thing, alpha) { const c = colorOf(frame, thing); return `rgb(${c[0]} ${c[1]} ${c[2]} / ${alpha})`; }

function isShown(thing) {
  if (thing.kind === "defect" && !marks.on.has("defects")) return false;
  if (thing.kind === "near miss" && !marks.on.has("misses")) return false;
  return !marks.off.has(thing.row.class_id);
}

// A mask of the frame as bits of its box alone, by columns: many frames have hundreds.
function bitsInBox(counts, high, [x, y, width, height]) {
  const bits = new Uint8Array(width * height), runs = runsOf(counts);
  for (let n = 0, place = 0; n < runs.length; n++) {
    const end = place + Math.max(0, runs[n]);
    if (n % 2) for (let from = place; from < end;) {
      const column = Math.floor(from / high), line = from - column * high, to = Math.min(end, (column + 1) * high);
      const begin = Math.max(line, y), stop = Math.min(to - column * high, y + height);
      if (column >= x && column < x + width && begin < stop) bits.fill(1, (column - x) * height + begin - y, (column - x) * height + stop - y);
      if (column >= x + width) break;
      from = to;
    }
    place = end;
  }
  return bits;
}

function wholeBox([x, y, width, height], [wide, high]) { // of pixels, inside of the frame
  const left = Math.max(0, Math.floor(x)), top = Math.max(0, Math.floor(y));
  return [left, top, Math.max(0, Math.min(wide, Math.ceil(x + width)) - left), Math.max(0, Math.min(high, Math.ceil(y + height)) - top)];
}

function layerOf(frame, thing) {
  if (!thing.layer) {
    const box = wholeBox(thing.row.bbox, frame.size), { rle } = thing.row;
    thing.layer = { box, mask: rle ? tint(bitsInBox(rle, frame.size[1], box), box[2], box[3], colorOf(frame, thing), true) : null };
  }
  return thing.layer;
}

function silhouetteOf(frame, thing) {
  if (!thing.silhouette) {
    const [x, y, width, height] = thing.row.amodal_bbox.map(Math.round);
    thing.silhouette = { box: [x, y, width, height], ...paint([x, y, width, height, thing.row.amodal_rle], colorOf(frame, thing), false) };
  }
  return thing.silhouette;
}

// Draws all that is wanted; `at` says where the frame lies on the canvas: its scale, and the place of its corner.
function drawMarks(pen, frame, at, held) {
  const all = frame.things.filter(isShown).sort((a, b) => (b.row.area_px || 0) - (a.row.area_px || 0));
  const some = held ? all.filter((thing) => thing === held) : all;
  const large = LARGE * frame.size[0] * frame.size[1], ratio = window.devicePixelRatio || 1;
  pen.lineWidth = 1.6 * ratio; pen.lineJoin = "round";
  const path = (points, isClosed) => {
    pen.beginPath();
    points.forEach(([x, y], n) => n ? pen.lineTo(at.x + x * at.scale, at.y + y * at.scale) : pen.moveTo(at.x + x * at.scale, at.y + y * at.scale));
    if (isClosed) pen.closePath();
    pen.stroke();
  };
  const blit = (area, [x, y, width, height], alpha) => {
    if (!area || !width || !height) return;
    pen.globalAlpha = alpha; pen.imageSmoothingEnabled = false;
    pen.drawImage(area, at.x + x * at.scale, at.y + y * at.scale, width * at.scale, height * at.scale);
    pen.globalAlpha = 1;
  };
  for (const thing of some) {
    const { row } = thing, [x, y, w, h] = row.bbox, isLarge = w * h >= large && thing !== held;
    pen.strokeStyle = ink(frame, thing, isLarge ? 0.35 : 1);
    pen.setLineDash(thing.kind === "near miss" ? [4 * ratio, 3 * ratio] : []);
    if (marks.on.has("masks") && row.rle) {
      const layer = layerOf(frame, thing);
      if (!isLarge) blit(layer.mask.area, layer.box, marks.opacity);
      blit(layer.mask.edge, layer.box, isLarge ? 0.5 : 0.75);
    }
    if (marks.on.has("amodal") && row.amodal_rle && !isLarge) { const whole = silhouetteOf(frame, thing); blit(whole.edge, whole.box, 1); }
    if (marks.on.has("boxes")) path([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], true);
    if (marks.on.has("oriented") && row.oriented_box) { const corners = inPairs(row.oriented_box, 2); if (corners.every((p) => isNear(frame, p))) path(corners, true); }
    if (marks.on.has("solids") && row.corners_px) drawSolid(pen, frame, thing, path);
  }
  pen.setLineDash([]);
  if (marks.on.has("points")) for (const thing of some) if (thing.row.keypoints) drawPoints(pen, frame, thing, at, path, ratio);
  const taken = [];
  if (marks.on.has("names")) for (const thing of some) drawName(pen, frame, thing, at, thing === held, taken);
}

function inPairs(values, size) {
  const out = [];
  for (let n = 0; n + size <= values.length; n += size) out.push(values.slice(n, n + size));
  return out;
}

function isNear(frame, point) { return point.every((v) => v !== null && Math.abs(v) < FAR * Math.max(...frame.size)); }

function drawSolid(pen, frame, thing, path) {
  const corners = inPairs(thing.row.corners_px, 2);
  if (corners.length === 8) for (const [a, b] of EDGES) {
    if (!isNear(frame, corners[a]) || !isNear(frame, corners[b])) continue;
    pen.strokeStyle = a & 4 && b & 4 ? "#fff" : ink(frame, thing, 1);
    path([corners[a], corners[b]], false);
  }
}

function drawPoints(pen, frame, thing, at, path, ratio) {
  const points = inPairs(thing.row.keypoints, 3), kind = classOf(frame, thing);
  pen.strokeStyle = ink(frame, thing, 1);
  for (const [a, b] of kind ? kind.skeleton : []) {
    const from = points[a], to = points[b];
    if (from && to && from[2] > 0 && to[2] > 0) path([from, to], false);
  }
  for (const [x, y, v] of points) {
    if (!(v > 0)) continue;
    pen.beginPath(); pen.arc(at.x + x * at.scale, at.y + y * at.scale, 4 * ratio, 0, 2 * Math.PI);
    pen.fillStyle = v === 2 ? ink(frame, thing, 1) : "#000"; pen.fill();
    pen.strokeStyle = "#fff"; pen.stroke();
  }
}

function titleOf(frame, thing) { return `${thing.kind === "near miss" ? "not " : ""}${nameOf(frame, thing)}`; }

function drawName(pen, frame, thing, at, always, taken) {
  const [x, y, w, h] = thing.row.bbox, ratio = window.devicePixelRatio || 1, size = 11 * ratio;
  const text = titleOf(frame, thing).slice(0, 40);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const wide = pen.measureText(text).width + 8 * ratio, high = size + 5 * ratio;
  const isSmall = wide > w * at.scale * 1.3 || high * 2 > h * at.scale; // defects are, and it is them who are looked for
  if (!always && thing.kind === "instance" && isSmall) return;
  const left = at.x + x * at.scale, above = at.y + y * at.scale, top = above > high ? above - high : above;
  if (taken.some(([l, t, r, b]) => left < r && l < left + wide && top < b && t < top + high)) return;
  taken.push([left, top, left + wide, top + high]);
  pen.fillStyle = ink(frame, thing, 0.92); pen.fillRect(left, top, wide, high);
  pen.fillStyle = "#000"; pen.fillText(text, left + 4 * ratio, top + size + 1 * ratio);
}

// The thing under a place of the frame: by masks, otherwise by the smallest box around it.
function thingAt(frame, x, y) {
  const hits = frame.things.filter(isShown).filter((thing) => {
    const [left, top, width, height] = thing.row.bbox;
    if (x < left || y < top || x >= left + width || y >= top + height) return false;
    if (!thing.row.rle) return true;
    const { box, mask } = layerOf(frame, thing);
    return Boolean(mask.bits[(Math.floor(x) - box[0]) * box[3] + Math.floor(y) - box[1]]);
  });
  return hits.sort((a, b) => a.row.bbox[2] * a.row.bbox[3] - b.row.bbox[2] * b.row.bbox[3])[0] || null;
}

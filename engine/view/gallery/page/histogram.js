"use strict";
// How a column is spread: faint bars are all frames, bright ones those that are chosen, the line is the other dataset.
const BINS = 40, PLOT_PX = { width: 264, height: 74 }, MOST_WORDS = 40;

function spanOf(columns) {
  let low = Infinity, high = -Infinity, whole = true, missing = 0;
  for (const column of columns) for (const v of column.values) {
    if (!Number.isFinite(v)) { missing += 1; continue; }
    if (v < low) low = v;
    if (v > high) high = v;
    if (!Number.isInteger(v)) whole = false;
  }
  if (low > high) return { low: 0, high: 1, count: 1, step: 1, missing, isEmpty: true };
  if (whole && high - low < BINS) return { low: low - 0.5, high: high + 0.5, count: high - low + 1, step: 1, missing, whole };
  const wide = high > low ? high - low : Math.max(1e-9, Math.abs(low) * 1e-6);
  return { low, high: low + wide, count: BINS, step: wide / BINS, missing, whole };
}

function tally(values, span, mask) {
  const bins = new Uint32Array(span.count);
  for (let i = 0; i < values.length; i++) {
    if (mask && !mask[i]) continue;
    const v = values[i];
    if (!Number.isFinite(v) || v < span.low || v > span.high) continue;
    bins[Math.min(span.count - 1, Math.floor((v - span.low) / span.step))] += 1;
  }
  return bins;
}

// How many frames have each word; the last number is that of frames without one.
function tallyWords(column, mask) {
  const counts = new Uint32Array(column.words.length + 1), { values, starts } = column;
  if (!starts) { for (let i = 0; i < values.length; i++) if (!mask || mask[i]) counts[values[i]] += 1; return counts; }
  for (let i = 0; i + 1 < starts.length; i++) if (!mask || mask[i]) for (let p = starts[i]; p < starts[i + 1]; p++) counts[values[p]] += 1;
  return counts;
}

function drawBars(canvas, span, sets, range) {
  const ratio = window.devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
  canvas.width = PLOT_PX.width * ratio; canvas.height = PLOT_PX.height * ratio;
  const pen = canvas.getContext("2d"), wide = canvas.width / span.count;
  const color = (name) => style.getPropertyValue(name).trim();
  if (range) {
    const at = (v) => (Math.min(span.high, Math.max(span.low, v)) - span.low) / (span.high - span.low) * canvas.width;
    pen.fillStyle = color("--brush");
    pen.fillRect(at(range[0]), 0, Math.max(ratio, at(range[1]) - at(range[0])), canvas.height);
  }
  const top = (bins) => Math.max(1, ...bins), most = sets.all ? top(sets.all) : 1;
  const bars = (bins, fill) => {
    pen.fillStyle = fill;
    bins.forEach((n, i) => { if (n) { const h = Math.max(ratio, n / most * (canvas.height - 2 * ratio)); pen.fillRect(i * wide, canvas.height - h, Math.max(1, wide - ratio), h); } });
  };
  if (sets.all) bars(sets.all, color("--bar-all"));
  if (sets.chosen) bars(sets.chosen, color("--bar"));
  if (!sets.other) return;
  pen.strokeStyle = color("--other"); pen.lineWidth = 1.5 * ratio; pen.beginPath(); // shares, so that sizes do not matter
  const scale = sum(sets.all || []) / Math.max(1, sum(sets.other));
  sets.other.forEach((n, i) => {
    const y = canvas.height - Math.min(1, n * scale / most) * (canvas.height - 2 * ratio);
    pen.lineTo(i * wide, y); pen.lineTo((i + 1) * wide, y);
  });
  pen.stroke();
}

function sum(values) { let total = 0; for (const v of values) total += v; return total; }
function short(value) {
  if (!Number.isFinite(value)) return "none";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e7) ? value.toExponential(2) : String(Number(value.toPrecision(5)));
}

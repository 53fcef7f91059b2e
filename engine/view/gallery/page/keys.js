"use strict";
// The keyboard. Keys that a control uses itself are left to it.
const KEYS = [
  ["/", "search"], ["arrows, Page Up, Page Down, Home, End", "move through the thumbnails"], ["Enter", "open a frame"],
  ["left, right, Home, End", "previous, next, first, last frame"], ["Esc", "let go of a thing; back to the thumbnails"],
  ["1 to 9", "labels on and off"], ["P", "next picture: image, depth, ..."], ["A", "all classes"], ["+ - 0", "zoom in, out, whole frame"],
  ["Shift + arrows", "move a frame that is zoomed"], ["S D F", "compare: side by side, difference, flicker between both"], ["?", "these keys"],
];

function usesKeys(target, key) {
  if (target.closest("input[type=search], input[type=number], textarea, select")) return key !== "Escape";
  if (target.matches("input[type=range]")) return /^(Arrow|Home|End|Page)/.test(key);
  return (key === "Enter" || key === " ") && target.closest("button, a");
}

function frameKeys(event) {
  if (event.shiftKey && event.key.startsWith("Arrow")) {
    const move = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    return () => shift(...move);
  }
  const first = () => chosen.order.length && openFrame(chosen.order[0]), last = () => chosen.order.length && openFrame(chosen.order[chosen.order.length - 1]);
  const actions = {
    ArrowRight: () => step(1), ArrowLeft: () => step(-1), Home: first, End: last, Escape: () => (stage.held ? hold(null) : closeFrame()),
    p: nextRole, a: () => { marks.off.clear(); classesChanged(); }, "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: () => zoomBy(0),
    ...(other ? { s: () => setMode("beside"), d: () => setMode("difference"), f: blink } : {}),
  };
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key, digit = Number(name);
  if (digit >= 1 && stage.frame && digit <= overlaysThere().length) return () => toggleOverlay(overlaysThere()[digit - 1][0]);
  return actions[name];
}

function anyKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || element("help").open || element("sql").open || usesKeys(event.target, event.key)) return;
  let act = null;
  if (event.key === "?") act = () => element("help").showModal();
  else if (stage.index !== null) act = stage.frame || event.key === "Escape" ? frameKeys(event) : null;
  else if (event.key === "/") act = () => element("search").focus();
  else if (event.key === "Escape") act = () => element("grid").focus();
  if (!act) return;
  act();
  event.preventDefault();
}

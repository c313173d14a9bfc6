// A board of patches to touch: shuffle, drag, hide, hover, pick. The network answers in the page.
//
// createLive(root, { networks, pictures }) fills an element. networks: [{ name, words, load }], where load() resolves
// to an MP3; pictures: [{ name, pixels }], pixels a Uint8ClampedArray (H, W, 4) as a canvas gives them. start: a part of
// the state to begin with; changed: called after each change. It returns an object with the state, `show(part)` to change
// it, and `remove()`.

import { argmax, assign, rollout, seenAt, shuffled } from "./solve.js";
import { softmax } from "./mp3.js";

const MODES = { jigsaw: "Solve the jigsaw", look: "Pick a patch", hide: "Hide patches" };

/** An element with attributes and children; functions are event listeners. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Pixels (H, W, 4) of 0 to 255 as the network takes them: (3, H, W) from -1 to 1. */
export function toFloat(pixels) {
  const size = pixels.length / 4, out = new Float32Array(3 * size);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) out[c * size + i] = pixels[4 * i + c] / 127.5 - 1;
  return out;
}

/** A file or image of any size as pixels (height, width, 4): cut to its middle, then made smaller. */
export async function readPicture(file, [height, width]) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${file.name || "this file"} is not a picture that this browser can read. Choose a PNG or JPEG.`);
  }
  const scale = Math.min(bitmap.width / width, bitmap.height / height), w = width * scale, h = height * scale;
  const canvas = element("canvas", { width, height }), context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // behind transparent pixels
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, (bitmap.width - w) / 2, (bitmap.height - h) / 2, w, h, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

export function createLive(root, { networks, pictures, start = {}, changed = () => {} }) {
  const state = {
    mode: "jigsaw", picture: 0, network: networks[0].name, layer: 0, pick: null, pinned: false, held: null, focus: 0,
    order: [], seen: [], ranks: [], ratio: 0, moves: 0, began: null, ended: null, revealed: false, hint: null,
    message: "",
  };
  let mp3 = null, answer = null, clock = null, dragged = null, drawn = {};
  const own = [];
  const loaded = new Map();
  const all = () => [...pictures, ...own];
  const n = () => mp3.n;
  const name = (patch) => `patch ${patch + 1}`;
  const place = (p) => `row ${Math.floor(p / mp3.grid[1]) + 1}, column ${(p % mp3.grid[1]) + 1}`;

  // --- what stands still: made once ---------------------------------------------------------------------------------
  const tabs = element("div", { class: "live-tabs", role: "tablist", "aria-label": "What to do" });
  for (const [mode, words] of Object.entries(MODES))
    tabs.append(element("button", { role: "tab", type: "button", "data-mode": mode, "data-lm-suppress-shortcuts": true, click: () => show({ mode }) }, words));
  tabs.addEventListener("keydown", (event) => {
    const modes = Object.keys(MODES), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    show({ mode: modes[(modes.indexOf(state.mode) + step + modes.length) % modes.length] });
    tabs.querySelector("[aria-selected=true]").focus();
    event.preventDefault();
  });
  const thumbs = element("div", { class: "live-thumbs", role: "group", "aria-label": "Pictures" });
  const file = element("input", { type: "file", accept: "image/*", class: "live-file", "aria-label": "Your own picture",
    change: async () => {
      if (!file.files.length) return;
      try {
        own.push({ name: "your picture", pixels: await readPicture(file.files[0], mp3.imageSize) });
        show({ picture: all().length - 1, message: "Your picture stays in this page." });
      } catch (error) {
        show({ message: error.message });
      }
      file.value = "";
    } });
  const choice = element("select", { "aria-label": "Network", change: () => show({ network: choice.value }) },
    ...networks.map(({ name, words }) => element("option", { value: name }, words)));
  const board = element("div", { class: "live-board", role: "grid", "aria-label": "Patches" });
  const panel = element("div", { class: "live-panel", role: "tabpanel", "aria-label": MODES.jigsaw });
  const status = element("p", { class: "live-status", role: "status" });
  root.replaceChildren(element("div", { class: "live" }, tabs, element("div", { class: "live-main" }, board, panel), status,
    element("div", { class: "live-row" }, thumbs,
      element("label", { class: "live-own" }, "Your own picture ", file), element("label", {}, "Network ", choice))));

  // --- drawing ------------------------------------------------------------------------------------------------------
  const shape = () => `${mp3.imageSize[1]} / ${mp3.imageSize[0]}`; // width / height

  /** A picture of the patches in an order, as a canvas of H x W pixels; order[place] is a patch, or -1 for none. */
  function canvasOf(pixels, order) {
    const [height, width] = mp3.imageSize, [ph, pw] = mp3.patchSize, columns = mp3.grid[1];
    const whole = element("canvas", { width, height }), made = element("canvas", { width, height });
    whole.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
    const context = made.getContext("2d");
    order.forEach((patch, p) => {
      if (patch < 0) return;
      const from = [(patch % columns) * pw, Math.floor(patch / columns) * ph];
      context.drawImage(whole, ...from, pw, ph, (p % columns) * pw, Math.floor(p / columns) * ph, pw, ph);
    });
    return made;
  }

  /** A small map of n values from 0 to 1, dark where high; hidden patches hatched, one place outlined. */
  function heatMap(values, words, { hidden = [], outline = -1, size = 8 } = {}) {
    const [rows, columns] = mp3.grid;
    const map = element("div", { class: "live-map", role: "img", "aria-label": words, style: `--columns:${columns}` });
    const highest = Math.max(...values, 1e-9);
    for (let p = 0; p < rows * columns; p++) {
      const cell = element("span", { class: hidden[p] ? "hidden" : "", title: `${place(p)}: ${(100 * values[p]).toFixed(1)} %` });
      cell.style.setProperty("--share", (values[p] / highest).toFixed(3));
      if (p === outline) cell.classList.add("outline");
      map.append(cell);
    }
    map.style.setProperty("--cell", `${size}px`);
    return element("figure", {}, map, element("figcaption", {}, words));
  }

  function smallPicture(order, words, wrong = []) {
    const canvas = canvasOf(all()[state.picture].pixels, order);
    const frame = element("div", { class: "live-answer", style: `--columns:${mp3.grid[1]}; --shape:${shape()}` }, canvas);
    order.forEach((_, p) => frame.append(element("span", { class: wrong[p] ? "wrong" : "" })));
    return element("figure", { role: "img", "aria-label": words }, frame, element("figcaption", {}, words));
  }

  function drawBoard() {
    const [rows, columns] = mp3.grid, jigsaw = state.mode === "jigsaw";
    const shown = all()[state.picture];
    if (drawn.picture !== shown) drawn = { ...drawn, picture: shown, url: canvasOf(shown.pixels, [...Array(n()).keys()]).toDataURL() };
    board.style.setProperty("--columns", columns);
    board.style.setProperty("--rows", rows);
    board.style.setProperty("--shape", shape());
    board.classList.toggle("fine", n() > 16);
    board.classList.toggle("jigsaw", jigsaw);
    if (board.querySelectorAll("button").length !== n()) {
      const lines = [];
      for (let row = 0; row < rows; row++) {
        const line = element("div", { role: "row" });
        for (let column = 0; column < columns; column++)
          line.append(element("button", { type: "button", role: "gridcell", "data-place": row * columns + column, "data-lm-suppress-shortcuts": true }));
        lines.push(line);
      }
      board.replaceChildren(...lines);
    }
    const picked = answer && state.pick !== null && state.mode === "look" ? shares(state.pick) : null;
    board.querySelectorAll("button").forEach((cell, p) => {
      const patch = jigsaw ? state.order[p] : p, x = patch % columns, y = Math.floor(patch / columns);
      cell.style.backgroundImage = `url(${drawn.url})`;
      cell.style.backgroundPosition = `${(100 * x) / Math.max(1, columns - 1)}% ${(100 * y) / Math.max(1, rows - 1)}%`;
      const hidden = !jigsaw && !state.seen[patch];
      cell.classList.toggle("hidden", hidden);
      cell.classList.toggle("held", state.held === p);
      cell.classList.toggle("picked", state.mode === "look" && state.pick === p);
      cell.classList.toggle("hint", jigsaw && state.hint === p);
      cell.classList.toggle("wrong", jigsaw && state.revealed && patch !== p);
      cell.style.setProperty("--share", picked ? picked[p].toFixed(3) : 0);
      cell.textContent = picked && picked[p] >= 0.05 && n() <= 16 ? percent(picked[p]) : "";
      cell.tabIndex = p === state.focus ? 0 : -1;
      cell.setAttribute("aria-label", [
        jigsaw ? `${name(patch)} at ${place(p)}` : `${name(p)}, ${place(p)}`, hidden && "hidden",
        state.held === p && "held", jigsaw && state.revealed && (patch === p ? "right" : "wrong"),
      ].filter(Boolean).join(", "));
    });
  }

  const shares = (patch) => softmax(answer.logits.slice(patch * n(), (patch + 1) * n()), n());
  const percent = (share) => `${Math.round(100 * share)} %`;
  const seconds = () => (state.began ? ((state.ended ?? performance.now()) - state.began) / 1000 : 0);
  const countRight = (places) => [...places].filter((p, patch) => p === patch).length;
  const told = () => `${state.moves} swaps, ${Math.floor(seconds())} s`;

  const panels = {
    jigsaw() {
      const right = state.order.filter((patch, p) => patch === p).length;
      const counter = element("p", { class: "live-count" }, told());
      const parts = [
        element("p", {}, "Drag a patch onto another to swap them. With the keyboard: arrow keys, space to hold, space to swap."),
        counter,
        element("div", { class: "live-buttons" },
          element("button", { type: "button", click: hint, disabled: state.revealed }, "Hint"),
          element("button", { type: "button", click: reveal, disabled: state.revealed }, "Compare with the network"),
          element("button", { type: "button", click: () => show({ order: shuffled(n()) }) }, "Shuffle again")),
      ];
      if (state.revealed) {
        const places = assign(answer.logits, n()), back = new Array(n());
        places.forEach((p, patch) => (back[p] = patch));
        const sure = places.reduce((sum, p, patch) => sum + shares(patch)[p] / n(), 0);
        parts.push(element("p", { class: "live-score" },
          `You: ${right} of ${n()} in ${Math.floor(seconds())} s. The network: ${countRight(places)} of ${n()} in ${answer.ms.toFixed(0)} ms.`),
          smallPicture(back, `The network's answer, ${percent(sure)} certain on average`, back.map((patch, p) => patch !== p)));
      }
      return parts;
    },
    look() {
      if (state.pick === null) return [element("p", {}, "Point at a patch, tap it, or move to it with the arrow keys. A click keeps it.")];
      const values = shares(state.pick), best = argmax(answer.logits, n())[state.pick];
      const hidden = state.seen.map((s) => !s), options = { hidden, outline: state.pick, size: n() > 16 ? 9 : 18 };
      const row = (weights) => weights.slice(state.pick * n(), (state.pick + 1) * n());
      const layers = element("select", { "aria-label": "Layer", change: () => show({ layer: Number(layers.value) }) },
        ...answer.attention.map((_, l) => element("option", { value: l, selected: l === state.layer }, `layer ${l + 1}`)));
      const verdict = best === state.pick ? "This is right." : `It belongs at ${place(state.pick)}.`;
      return [
        element("p", {}, `The network puts ${name(state.pick)} at ${place(best)} (${percent(values[best])}). ${verdict}`),
        heatMap(values, "Predicted places", { outline: state.pick, size: n() > 16 ? 14 : 28 }),
        element("label", {}, "What it attends to, ", layers),
        element("div", { class: "live-maps" },
          ...answer.attention[state.layer].map((head, h) => heatMap(row(head), `head ${h + 1}`, options)),
          heatMap(row(answer.rollout), "all layers (rollout)", options)),
      ];
    },
    hide() {
      const places = assign(answer.logits, n()), back = new Array(n());
      places.forEach((p, patch) => (back[p] = patch));
      const hidden = state.seen.filter((s) => !s).length;
      const slider = element("input", { type: "range", min: 0, max: 95, step: 1, value: Math.round(100 * state.ratio),
        "aria-label": "Mask ratio in percent", input: () => show({ ratio: slider.value / 100, ranked: true }) });
      return [
        element("label", { class: "live-slider" }, "Mask ratio ", slider, element("output", {}, `${Math.round(100 * state.ratio)} %`)),
        element("p", {}, `${hidden} of ${n()} patches are hidden: no patch attends to them. Click a patch to hide or show it.`),
        smallPicture(back, `The network puts ${countRight(places)} of ${n()} patches in the right place`, back.map((patch, p) => patch !== p)),
      ];
    },
  };

  function draw() {
    if (!mp3 || !answer) return;
    tabs.querySelectorAll("button").forEach((tab) => {
      tab.setAttribute("aria-selected", tab.dataset.mode === state.mode);
      tab.tabIndex = tab.dataset.mode === state.mode ? 0 : -1;
    });
    all().slice(thumbs.children.length).forEach(({ name, pixels }) => {
      const number = thumbs.children.length;
      thumbs.append(element("button", { type: "button", "aria-label": name, title: name, click: () => show({ picture: number }) },
        canvasOf(pixels, [...Array(n()).keys()])));
    });
    [...thumbs.children].forEach((thumb, i) => thumb.setAttribute("aria-pressed", i === state.picture));
    choice.value = state.network;
    drawBoard();
    drawPanel();
    status.textContent = state.message;
    changed(state, answer);
  }

  /** Fill the panel anew. A slider stays, because it may be dragged, and the focus stays on the same control. */
  function drawPanel() {
    const made = panels[state.mode](), old = panel.querySelector("input[type=range]");
    panel.setAttribute("aria-label", MODES[state.mode]);
    if (!old || state.mode !== "hide") {
      const controls = () => [...panel.querySelectorAll("button, select, input")];
      const at = controls().indexOf(root.getRootNode().activeElement);
      panel.replaceChildren(...made);
      if (at >= 0) (controls().slice(at).find((control) => !control.disabled) ?? board.querySelector("[tabindex='0']"))?.focus();
      return;
    }
    old.value = Math.round(100 * state.ratio);
    old.parentElement.querySelector("output").textContent = `${Math.round(100 * state.ratio)} %`;
    while (panel.children.length > 1) panel.lastChild.remove();
    panel.append(...made.slice(1));
  }

  // --- changes ------------------------------------------------------------------------------------------------------
  function ask() {
    const pixels = toFloat(all()[state.picture].pixels), began = performance.now();
    const seen = state.mode === "jigsaw" ? new Array(n()).fill(true) : state.seen;
    answer = mp3.predict(pixels, seen);
    answer.ms = performance.now() - began;
    answer.rollout = rollout(answer.attention, n(), mp3.config.context === "frozen");
  }

  function restart(order) {
    Object.assign(state, { order, moves: 0, began: null, ended: null, revealed: false, hint: null, held: null });
  }

  /** Change part of the state and draw what follows from it. Resolves when a network that was needed is there. */
  async function show(part) {
    const before = { ...state };
    Object.assign(state, { message: "" }, part);
    if (!mp3 || state.network !== before.network) {
      const network = networks.find(({ name }) => name === state.network);
      status.textContent = `Loading the network: ${network.words} …`;
      try {
        if (!loaded.has(network.name)) loaded.set(network.name, network.load());
        const made = await loaded.get(network.name);
        if (state.network !== network.name) return; // another network was chosen while this one was loading
        state.layer = Math.min(state.layer, made.depth - 1);
        const same = mp3 && mp3.n === made.n;
        mp3 = made;
        if (!same) {
          state.ranks = shuffled(n());
          Object.assign(state, { seen: part.seen ?? seenAt(state.ratio, state.ranks), pick: part.pick ?? null, focus: 0 });
          restart(part.order ?? shuffled(n()));
        }
      } catch (error) {
        loaded.delete(network.name);
        state.network = choice.value = before.network;
        status.textContent = `The network could not be loaded: ${error.message}`;
        return;
      }
    }
    if (part.seen) state.ratio = state.seen.filter((s) => !s).length / n();
    else if (part.ratio !== undefined) state.seen = seenAt(state.ratio, state.ranks);
    if (part.picture !== undefined && !part.order) restart(shuffled(n()));
    if (part.order) restart(part.order);
    if (part.mode && part.mode !== "look") state.pick = null;
    if (part.mode && part.pinned === undefined) state.pinned = false;
    if (!answer || ["network", "picture", "ratio", "seen", "mode"].some((key) => part[key] !== undefined)) ask();
    draw();
  }

  function swap(a, b) {
    if (a === b || state.revealed) return show({ held: null });
    const order = [...state.order];
    [order[a], order[b]] = [order[b], order[a]];
    Object.assign(state, { order, moves: state.moves + 1, began: state.began ?? performance.now(), hint: null });
    const solved = order.every((patch, p) => patch === p);
    if (solved) Object.assign(state, { ended: performance.now(), revealed: true });
    clock ??= setInterval(() => {
      const count = panel.querySelector(".live-count");
      if (count && !state.ended) count.textContent = told();
    }, 1000);
    show({ held: null, focus: b, message: solved ? "Solved." : "" });
  }

  function reveal() {
    const now = performance.now();
    Object.assign(state, { began: state.began ?? now, ended: now });
    show({ revealed: true, hint: null, held: null });
  }

  /** Where would the network put the held patch, or the first one that is wrong? */
  function hint() {
    const from = state.held ?? state.order.findIndex((patch, p) => patch !== p);
    if (from < 0) return;
    const patch = state.order[from], to = argmax(answer.logits, n())[patch];
    show({ held: from, hint: to, message: `The network would put this patch at ${place(to)} (${percent(shares(patch)[to])}).` });
  }

  function act(p) {
    if (state.mode === "jigsaw") state.held === null ? show({ held: p, focus: p }) : swap(state.held, p);
    else if (state.mode === "look") show({ pick: p, focus: p, pinned: !(state.pinned && state.pick === p) });
    else {
      const seen = state.seen.map((s, i) => (i === p ? !s : s));
      if (!seen.some(Boolean)) return show({ message: "At least one patch must be seen." });
      show({ seen, focus: p });
    }
  }

  // --- mouse, touch, keyboard ---------------------------------------------------------------------------------------
  const placeUnder = (event) => {
    const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-place]");
    return cell && board.contains(cell) ? Number(cell.dataset.place) : null;
  };
  board.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("[data-place]");
    if (!cell || event.button) return;
    dragged = { from: Number(cell.dataset.place), x: event.clientX, y: event.clientY, cell, moved: false };
    board.setPointerCapture?.(event.pointerId);
  });
  board.addEventListener("pointermove", (event) => {
    if (dragged && state.mode === "jigsaw" && !state.revealed) {
      const [dx, dy] = [event.clientX - dragged.x, event.clientY - dragged.y];
      dragged.moved ||= Math.hypot(dx, dy) > 5;
      if (dragged.moved) dragged.cell.style.transform = `translate(${dx}px, ${dy}px) scale(1.05)`;
      dragged.cell.classList.toggle("dragged", dragged.moved);
      return;
    }
    const p = placeUnder(event);
    if (state.mode === "look" && !state.pinned && p !== null && p !== state.pick) show({ pick: p });
  });
  const drop = (event) => {
    if (!dragged) return;
    const { from, cell, moved } = dragged;
    dragged = null;
    cell.style.transform = "";
    cell.classList.remove("dragged");
    if (event.type === "pointercancel") return;
    const to = placeUnder(event);
    if (moved) { if (to !== null) swap(from, to); } else act(from);
    board.querySelector("[tabindex='0']").focus({ preventScroll: true });
  };
  board.addEventListener("pointerup", drop);
  board.addEventListener("pointercancel", drop);
  board.addEventListener("focusin", (event) => {
    const p = Number(event.target.dataset?.place);
    if (state.mode === "look" && !state.pinned && p !== state.pick && !dragged) show({ pick: p, focus: p });
  });
  board.addEventListener("keydown", (event) => {
    const columns = mp3.grid[1], x = state.focus % columns, last = n() - 1;
    const to = {
      ArrowLeft: x ? state.focus - 1 : state.focus, ArrowRight: x < columns - 1 ? state.focus + 1 : state.focus,
      ArrowUp: state.focus - columns, ArrowDown: state.focus + columns, Home: 0, End: last,
    }[event.key];
    if (event.key === "Escape") show({ held: null, hint: null, pinned: false });
    else if (event.key === " " || event.key === "Enter") act(state.focus);
    else if (to === undefined) return;
    else if (to >= 0 && to <= last) show({ focus: to, ...(state.mode === "look" ? { pick: to } : {}) });
    event.preventDefault();
    event.stopPropagation();
    board.querySelector("[tabindex='0']").focus();
  });

  const ready = show(start);
  return { state, show, ready, answer: () => answer, network: () => mp3, remove: () => { clearInterval(clock); root.replaceChildren(); } };
}

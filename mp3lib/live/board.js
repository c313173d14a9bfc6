// A board of patches to touch: shuffle, drag, hide, hover, pick. The network answers in the page.
//
// createLive(root, { networks, pictures }) fills an element.
//   networks: [{ name, words, load }], where load() resolves to what `startNetwork` of worker.js makes;
//   pictures: [{ name, pixels }], pixels a Uint8ClampedArray (H, W, 4) as a canvas gives them;
//   start: a part of the state to begin with;
//   kernel: where there is one, kernel(network's name, pixels, seen) resolves to its answer;
//   changed: called after each change with the state and the newest answer, or null while it is awaited.
// It returns { state, show, settled, remove, ... }: `show(part)` changes the state and resolves when the answer is drawn.

import { drawCells, makeCells } from "./cells.js";
import { element, pictureOf, readPicture } from "./drawing.js";
import { listen } from "./gestures.js";
import { MODES, PANELS, percent } from "./panels.js";
import { questions } from "./questions.js";
import { seenAt, shuffled } from "./solve.js";

const ANSWERS = { page: "this page", kernel: "the kernel", both: "both, compared" };

export function createLive(root, { networks, pictures, start = {}, kernel = null, changed = () => {} }) {
  const state = {
    mode: "jigsaw", picture: 0, network: networks[0].name, answers: "page", pick: null, pinned: false, held: null, focus: 0,
    order: [], seen: [], ranks: [], ratio: 0, moves: 0, began: null, ended: null, revealed: false, hint: null, message: "",
  };
  const own = [], loaded = new Map(), all = () => [...pictures, ...own];
  const app = {
    state, network: null, named: null, answer: null, other: null, show, act, swap, hint, reveal, otherPicture,
    picture: () => all()[state.picture],
    name: (patch) => `patch ${patch + 1}`,
    place: (p) => `row ${Math.floor(p / app.network.grid[1]) + 1}, column ${(p % app.network.grid[1]) + 1}`,
    seconds: () => (state.began ? Math.floor(((state.ended ?? performance.now()) - state.began) / 1000) : 0),
    shuffled: () => shuffled(app.network.n),
  };
  const n = () => app.network.n;

  // --- made once ----------------------------------------------------------------------------------------------------
  const choice = (label, options, change) => {
    const select = element("select", { "aria-label": label, change: () => change(select.value) },
      ...options.map(([value, words]) => element("option", { value }, words)));
    return select;
  };
  const tabs = element("div", { class: "live-tabs", role: "tablist", "aria-label": "What to do" });
  for (const [mode, words] of Object.entries(MODES))
    tabs.append(element("button", { role: "tab", "data-mode": mode, click: () => show({ mode }) }, words));
  tabs.addEventListener("keydown", (event) => {
    const modes = Object.keys(MODES), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    show({ mode: modes[(modes.indexOf(state.mode) + step + modes.length) % modes.length] });
    tabs.querySelector("[aria-selected=true]").focus();
    event.preventDefault();
    event.stopPropagation();
  });
  const thumbs = element("div", { class: "live-thumbs", role: "group", "aria-label": "Pictures" });
  const file = element("input", { type: "file", accept: "image/*", class: "live-file", "aria-label": "Your own picture", change: ownPicture });
  const model = choice("Network", networks.map(({ name, words }) => [name, words]), (network) => show({ network }));
  const answers = choice("Who answers", Object.entries(ANSWERS), (answers) => show({ answers }));
  const board = element("div", { class: "live-board", role: "grid", "aria-label": "Patches" });
  const panels = Object.fromEntries(Object.entries(PANELS).map(([mode, make]) => [mode, make(app)]));
  const results = element("div", { class: "live-results" });
  const panel = element("div", { class: "live-panel", role: "tabpanel", "aria-busy": "true" },
    ...Object.values(panels).map(({ controls }) => controls), results);
  const status = element("p", { class: "live-status", role: "status" });
  const chosen = element("div", { class: "live-row" }, thumbs, element("label", { class: "live-own" }, "Your own picture ", file),
    element("label", {}, "Network ", model));
  if (kernel) chosen.append(element("label", {}, "Answers by ", answers));
  const live = element("div", { class: "live" }, tabs, element("div", { class: "live-main" }, board, panel), status, chosen);
  root.replaceChildren(live);
  listen(board, app);

  // --- drawing ------------------------------------------------------------------------------------------------------
  function draw() {
    if (!app.network || app.named !== state.network) return; // it is still loading
    tabs.querySelectorAll("button").forEach((tab) => {
      tab.setAttribute("aria-selected", tab.dataset.mode === state.mode);
      tab.tabIndex = tab.dataset.mode === state.mode ? 0 : -1;
    });
    all().slice(thumbs.children.length).forEach(({ name, pixels }) => {
      const picture = thumbs.children.length;
      thumbs.append(element("button", { "aria-label": name, title: name, click: () => show({ picture }) }, pictureOf(pixels, app.network)));
    });
    [...thumbs.children].forEach((thumb, i) => thumb.setAttribute("aria-pressed", i === state.picture));
    [model.value, answers.value] = [state.network, state.answers];
    drawCells(board, app);
    live.classList.toggle("solving", state.mode === "jigsaw" && !state.revealed);
    panel.setAttribute("aria-label", MODES[state.mode]);
    for (const [mode, { controls }] of Object.entries(panels)) controls.hidden = mode !== state.mode;
    panels[state.mode].update();
    if (app.answer) results.replaceChildren(...panels[state.mode].results());
    panel.setAttribute("aria-busy", asking() !== null);
    status.textContent = state.message;
    changed(state, asking() ? null : app.answer);
  }

  // --- changes ------------------------------------------------------------------------------------------------------
  const { ask, asking } = questions(app, kernel, draw);
  let loading = null; // a promise, while a network is loaded

  /** Resolves when nothing is awaited any more. */
  async function settled() {
    await ready;
    while (loading ?? asking()) await (loading ?? asking());
  }

  function restart(order) {
    Object.assign(state, { order, moves: 0, began: null, ended: null, revealed: false, hint: null, held: null });
  }

  /** Bring the network of the state. False if it is not there, or no longer wanted. */
  async function bring(part, before) {
    const wanted = networks.find(({ name }) => name === state.network);
    state.message = status.textContent = `Loading the network: ${wanted.words} …`;
    panel.setAttribute("aria-busy", "true");
    try {
      if (!loaded.has(wanted.name)) loaded.set(wanted.name, wanted.load());
      const network = await loaded.get(wanted.name), same = app.network?.n === network.n;
      if (state.network !== wanted.name) return false;
      Object.assign(app, { network, named: wanted.name, answer: null, other: null });
      state.message = "";
      if (same) return true;
      state.ranks = shuffled(n());
      Object.assign(state, { seen: part.seen ?? seenAt(state.ratio, state.ranks), pick: part.pick ?? null, focus: 0 });
      restart(part.order ?? shuffled(n()));
      makeCells(board, network);
      return true;
    } catch (error) {
      loaded.delete(wanted.name);
      if (state.network !== wanted.name) return false;
      state.network = model.value = before;
      state.message = status.textContent = `The network could not be loaded: ${error.message}`;
      panel.setAttribute("aria-busy", "false");
      return false;
    }
  }

  /** Change part of the state, and draw what follows from it. Resolves when the answer is drawn. */
  async function show(part) {
    const before = state.network, { picture } = state;
    Object.assign(state, { message: "" }, part);
    if (!app.picture()) state.picture = all()[picture] ? picture : 0; // there is no such picture
    if (!app.network || state.network !== before) {
      const brought = (loading = bring(part, before)), isThere = await brought;
      if (loading === brought) loading = null;
      if (!isThere) return;
    }
    if (part.seen) state.ratio = state.seen.filter((seen) => !seen).length / n();
    else if (part.ratio !== undefined) state.seen = seenAt(state.ratio, state.ranks);
    if (part.order) restart(part.order);
    else if (part.picture !== undefined) restart(shuffled(n()));
    if (part.mode && part.pick === undefined && part.mode !== "look") state.pick = null;
    if (part.mode && part.pinned === undefined) state.pinned = false;
    if (["network", "picture", "mode", "answers"].some((key) => part[key] !== undefined)) {
      app.answer = app.other = null;
      results.replaceChildren();
    }
    const asks = !app.answer || part.ratio !== undefined || part.seen;
    const answered = asks ? ask() : null;
    draw();
    await answered;
  }

  function swap(a, b) {
    if (a === b || state.revealed) return show({ held: null });
    const order = [...state.order];
    [order[a], order[b]] = [order[b], order[a]];
    Object.assign(state, { order, moves: state.moves + 1, began: state.began ?? performance.now(), hint: null });
    const solved = order.every((patch, p) => patch === p);
    if (solved) Object.assign(state, { ended: performance.now(), revealed: true });
    return show({ held: null, focus: b, message: solved ? "Solved." : `The patch is now at ${app.place(b)}.` });
  }

  async function reveal() {
    await settled();
    if (!app.answer) return;
    const now = performance.now();
    Object.assign(state, { began: state.began ?? now, ended: now });
    await show({ revealed: true, hint: null, held: null });
    results.scrollIntoView({ block: "nearest" }); // on a phone it is below the screen
    board.querySelector("[tabindex='0']").focus({ preventScroll: true }); // the button that had the focus is disabled now
  }

  /** Where would the network put the held patch, or the first one that is wrong? */
  async function hint() {
    await settled();
    const from = state.held ?? state.order.findIndex((patch, p) => patch !== p);
    if (from < 0 || !app.answer) return;
    const patch = state.order[from], to = app.answer.best[patch];
    const sure = percent(app.answer.shares[patch * n() + to]);
    await show({ held: from, hint: to, message: `The network would put this patch at ${app.place(to)} (probability ${sure}).` });
  }

  function otherPicture() {
    const others = all().map((_, i) => i).filter((i) => i !== state.picture);
    return show({ picture: others[Math.floor(Math.random() * others.length)] ?? 0 });
  }

  async function ownPicture() {
    await settled();
    if (!file.files.length || !app.network) return;
    try {
      const pixels = await readPicture(file.files[0], app.network.imageSize);
      own.push({ name: own.length ? `your picture ${own.length + 1}` : "your picture", pixels });
      const message = kernel ? "Your picture goes to the kernel of this notebook, and nowhere else." : "Your picture stays in this page. Patches that look alike cannot be told apart.";
      await show({ picture: all().length - 1, message });
    } catch (error) {
      show({ message: error.message });
    }
    file.value = "";
  }

  /** A click or a tap on a place, or space. */
  function act(p) {
    if (state.mode === "jigsaw") return state.held === null ? show({ held: p, focus: p }) : swap(state.held, p);
    if (state.mode === "look") return show({ pick: p, focus: p, pinned: !(state.pinned && state.pick === p) });
    const seen = state.seen.map((s, i) => (i === p ? !s : s));
    return seen.some(Boolean) ? show({ seen, focus: p }) : show({ message: "At least one patch must be seen." });
  }

  const ready = show(start);
  function remove() {
    Object.values(panels).forEach(({ stop }) => stop());
    loaded.forEach((network) => network.then(({ stop }) => stop(), () => {}));
    root.replaceChildren();
  }
  return { state, show, settled, remove, ready, answer: () => app.answer, other: () => app.other, network: () => app.network, picture: app.picture };
}

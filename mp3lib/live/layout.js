// The elements of the board, made once, and how they follow the state. app: see board.js.

import { drawCells } from "./cells.js";
import { element, pictureOf } from "./drawing.js";
import { MODES, PANELS } from "./panels.js";

const ANSWERS = { page: "this page", kernel: "the kernel", both: "both, compared" };

function makeTabs(app) {
  const { state, show } = app, modes = Object.keys(MODES);
  const tabs = element("div", { class: "live-tabs", role: "tablist", "aria-label": "What to do" },
    ...modes.map((mode) => element("button", { role: "tab", "data-mode": mode, click: () => show({ mode }) }, MODES[mode])));
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return; // with these they are the browser's
    show({ mode: modes[(modes.indexOf(state.mode) + step + modes.length) % modes.length] });
    tabs.querySelector("[aria-selected=true]").focus();
    event.preventDefault();
    event.stopPropagation();
  });
  return tabs;
}

function choice(label, options, change) {
  const select = element("select", { "aria-label": label, change: () => change(select.value) },
    ...options.map(([value, words]) => element("option", { value }, words)));
  return select;
}

function fileInput(app) {
  const file = element("input", { type: "file", accept: "image/*", class: "live-file", "aria-label": "Your own picture",
    change() {
      app.takeFiles([...file.files]);
      file.value = ""; // so that the same file can be chosen again
    } });
  return file;
}

/** A file that is dropped here is a picture of the reader's own. The browser would leave the page and show the file. */
function takeDroppedFiles(live, app) {
  const take = (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.type === "drop") app.takeFiles([...event.dataTransfer.files]);
  };
  live.addEventListener("dragover", take);
  live.addEventListener("drop", take);
}

/** The layout: { live, board, draw, say, clearResults, bringResultsIntoView, stop }; networks: [{ name, words }]. */
export function makeLayout(app, networks, hasKernel) {
  const { state, show } = app;
  const tabs = makeTabs(app), board = element("div", { class: "live-board", role: "grid", "aria-label": "Patches" });
  const panels = Object.fromEntries(Object.entries(PANELS).map(([mode, make]) => [mode, make(app)]));
  const results = element("div", { class: "live-results" });
  const panel = element("div", { class: "live-panel", role: "tabpanel", "aria-busy": "true" },
    ...Object.values(panels).map(({ controls }) => controls), results);
  const status = element("p", { class: "live-status", role: "status" });
  const thumbs = element("div", { class: "live-thumbs", role: "group", "aria-label": "Pictures" });
  const model = choice("Network", networks.map(({ name, words }) => [name, words]), (network) => show({ network }));
  const answers = choice("Who answers", Object.entries(ANSWERS), (answers) => show({ answers }));
  const chosen = element("div", { class: "live-row" }, thumbs,
    element("label", { class: "live-own" }, "Your own picture ", fileInput(app)), element("label", {}, "Network ", model));
  if (hasKernel) chosen.append(element("label", {}, "Answers by ", answers));
  const live = element("div", { class: "live" }, tabs, element("div", { class: "live-main" }, board, panel), status, chosen);
  takeDroppedFiles(live, app);

  function drawTabs() {
    tabs.querySelectorAll("button").forEach((tab) => {
      tab.setAttribute("aria-selected", tab.dataset.mode === state.mode);
      tab.tabIndex = tab.dataset.mode === state.mode ? 0 : -1;
    });
  }

  function drawThumbs() {
    app.pictures.slice(thumbs.children.length).forEach(({ name, pixels }) => {
      const picture = thumbs.children.length;
      thumbs.append(element("button", { "aria-label": name, title: name, click: () => show({ picture }) }, pictureOf(pixels, app.network)));
    });
    [...thumbs.children].forEach((thumb, i) => thumb.setAttribute("aria-pressed", i === state.picture));
  }

  function drawPanel(isBusy) {
    panel.setAttribute("aria-label", MODES[state.mode]);
    for (const [mode, { controls }] of Object.entries(panels)) controls.hidden = mode !== state.mode;
    panels[state.mode].update();
    if (app.answer) results.replaceChildren(...panels[state.mode].results());
    panel.setAttribute("aria-busy", isBusy);
  }

  return {
    live,
    board,
    /** Show the state and the newest answer. isBusy: another answer is awaited. */
    draw(isBusy) {
      drawTabs();
      drawThumbs();
      [model.value, answers.value] = [state.network, state.answers];
      drawCells(board, app);
      live.classList.toggle("solving", state.mode === "jigsaw" && !state.revealed);
      drawPanel(isBusy);
      status.textContent = state.message;
    },
    /** Say something while there is no network to draw: what is awaited, or what failed. */
    say(isBusy) {
      model.value = state.network;
      status.textContent = state.message;
      panel.setAttribute("aria-busy", isBusy);
    },
    clearResults: () => results.replaceChildren(),
    bringResultsIntoView() {
      results.scrollIntoView({ block: "nearest" }); // on a phone it is below the screen
      board.querySelector("[tabindex='0']").focus({ preventScroll: true }); // the button that had the focus is disabled now
    },
    stop: () => Object.values(panels).forEach(({ stop }) => stop()),
  };
}

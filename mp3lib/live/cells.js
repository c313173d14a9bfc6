// The board itself: a button for each place.

import { element, pictureOf } from "./drawing.js";
import { percent } from "./panels.js";

/** Make the cells of a grid, row by row. */
export function makeCells(board, { grid: [rows, columns], imageSize: [height, width], n }) {
  board.style.setProperty("--columns", columns);
  board.style.setProperty("--rows", rows);
  board.style.setProperty("--shape", `${width} / ${height}`);
  board.classList.toggle("fine", n > 16);
  const range = (count) => [...Array(count).keys()];
  const cell = (place) => element("button", { role: "gridcell", "data-place": place });
  board.replaceChildren(...range(rows).map((row) =>
    element("div", { role: "row" }, ...range(columns).map((column) => cell(row * columns + column)))));
}

/** Show on each cell its patch, and what the state and the answer say of it. */
export function drawCells(board, app) {
  const { state, network: { n, grid: [rows, columns] } } = app, { mode, pick } = state, jigsaw = mode === "jigsaw", look = mode === "look";
  const answer = look ? app.answer : null, picture = app.picture();
  if (board.picture !== picture) [board.picture, board.url] = [picture, `url(${pictureOf(picture.pixels, app.network).toDataURL()})`];
  board.classList.toggle("jigsaw", jigsaw);
  board.querySelectorAll("button").forEach((cell, p) => {
    const patch = jigsaw ? state.order[p] : p, x = patch % columns, y = Math.floor(patch / columns);
    const hidden = !jigsaw && !state.seen[patch], wrong = jigsaw && state.revealed && patch !== p;
    const share = answer && pick !== null ? answer.shares[pick * n + p] : 0;
    if (cell.url !== board.url) cell.style.backgroundImage = cell.url = board.url;
    cell.style.backgroundPosition = `${(100 * x) / Math.max(1, columns - 1)}% ${(100 * y) / Math.max(1, rows - 1)}%`;
    const classes = { hidden, held: state.held === p, picked: look && pick === p, hint: jigsaw && state.hint === p, wrong };
    cell.className = Object.keys(classes).filter((name) => classes[name]).join(" ");
    cell.style.setProperty("--share", share.toFixed(3));
    cell.textContent = share >= 0.05 && n <= 16 ? percent(share) : "";
    cell.tabIndex = p === state.focus ? 0 : -1;
    cell.setAttribute("aria-label", [
      jigsaw ? `${app.name(patch)} at ${app.place(p)}` : `${app.name(p)}, ${app.place(p)}`,
      hidden && "hidden", state.held === p && "held", jigsaw && state.revealed && (wrong ? "wrong" : "right"),
      answer && `the network puts it at ${app.place(answer.best[p])}`,
    ].filter(Boolean).join(", "));
  });
}

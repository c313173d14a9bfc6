// Mouse, finger and keyboard on the board.

/** Listen to what is done on the board. app: see board.js. */
export function listen(board, app) {
  const { state } = app;
  let dragged = null;
  const placeUnder = (event) => {
    const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-place]");
    return cell && board.contains(cell) ? Number(cell.dataset.place) : null;
  };
  const focus = (options) => board.querySelector("[tabindex='0']").focus(options);

  board.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("[data-place]");
    if (!cell || event.button || dragged) return;
    dragged = { from: Number(cell.dataset.place), x: event.clientX, y: event.clientY, cell, moved: false };
    board.setPointerCapture(event.pointerId);
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
    if (state.mode === "look" && !state.pinned && p !== null && p !== state.pick) app.show({ pick: p });
  });
  const drop = (event) => {
    if (!dragged) return;
    const { from, cell, moved } = dragged;
    dragged = null;
    cell.style.transform = "";
    cell.classList.remove("dragged");
    if (event.type === "pointercancel") return;
    const to = placeUnder(event);
    if (!moved) app.act(from);
    else if (to !== null) app.swap(from, to);
    focus({ preventScroll: true });
  };
  board.addEventListener("pointerup", drop);
  board.addEventListener("pointercancel", drop);

  board.addEventListener("focusin", (event) => {
    const p = Number(event.target.dataset.place), pick = state.mode === "look" && !state.pinned ? p : state.pick;
    if (!dragged && (p !== state.focus || pick !== state.pick)) app.show({ pick, focus: p, message: state.message });
  });
  board.addEventListener("keydown", (event) => {
    const columns = app.network.grid[1], x = state.focus % columns, last = app.network.n - 1;
    const to = {
      ArrowLeft: x ? state.focus - 1 : state.focus, ArrowRight: x < columns - 1 ? state.focus + 1 : state.focus,
      ArrowUp: state.focus - columns, ArrowDown: state.focus + columns, Home: 0, End: last,
    }[event.key];
    if (event.key === "Escape") app.show({ held: null, hint: null, pinned: false });
    else if (event.key === " " || event.key === "Enter") app.act(state.focus);
    else if (to === undefined) return;
    else if (to >= 0 && to <= last) app.show({ focus: to, ...(state.mode === "look" ? { pick: to, pinned: false } : {}) });
    event.preventDefault();
    event.stopPropagation();
    focus();
  });
}

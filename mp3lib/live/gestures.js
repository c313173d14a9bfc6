// Mouse, finger and keyboard on the board.

/** Listen to what is done on the board. app: see board.js. */
export function listen(board, app) {
  const { state } = app;
  let dragged = null; // what one pointer holds; others are not followed meanwhile
  const placeUnder = ({ clientX, clientY }) => {
    const cell = board.getRootNode().elementFromPoint(clientX, clientY)?.closest("[data-place]");
    return cell && board.contains(cell) ? Number(cell.dataset.place) : null;
  };
  const focus = (options) => board.querySelector("[tabindex='0']").focus(options);

  board.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("[data-place]"), { pointerId, clientX: x, clientY: y } = event;
    if (!cell || event.button || dragged) return;
    dragged = { cell, pointerId, x, y, from: Number(cell.dataset.place), moved: false, game: state.game, mode: state.mode };
    board.setPointerCapture(pointerId);
  });
  board.addEventListener("pointermove", (event) => {
    if (dragged) return drag(event);
    const p = placeUnder(event);
    if (state.mode === "look" && !state.pinned && p !== null && p !== state.pick) app.show({ pick: p });
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) board.addEventListener(end, drop);

  function drag(event) {
    if (event.pointerId !== dragged.pointerId) return;
    const [dx, dy] = [event.clientX - dragged.x, event.clientY - dragged.y];
    dragged.moved ||= Math.hypot(dx, dy) > 5;
    if (!dragged.moved || state.mode !== "jigsaw" || state.revealed) return;
    dragged.cell.style.transform = `translate(${dx}px, ${dy}px) scale(1.05)`;
    dragged.cell.classList.add("dragged");
  }

  function drop(event) {
    if (event.pointerId !== dragged?.pointerId) return;
    const { from, cell, moved, game, mode } = dragged;
    dragged = null;
    cell.style.transform = "";
    cell.classList.remove("dragged");
    // the system takes the pointer away, or the board shows something else by now
    if (event.type !== "pointerup" || state.game !== game || state.mode !== mode) return;
    const to = placeUnder(event);
    if (!moved || (mode !== "jigsaw" && to === from)) app.act(from);
    else if (mode === "jigsaw" && to !== null) app.swap(from, to);
    focus({ preventScroll: true });
  }

  board.addEventListener("focusin", (event) => {
    const p = Number(event.target.dataset.place), pick = state.mode === "look" && !state.pinned ? p : state.pick;
    if (!dragged && (p !== state.focus || pick !== state.pick)) app.show({ pick, focus: p, message: state.message });
  });
  board.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return; // with these they are the browser's
    const columns = app.network.grid[1], x = state.focus % columns, last = app.network.n - 1;
    const to = {
      ArrowLeft: x ? state.focus - 1 : state.focus, ArrowRight: x < columns - 1 ? state.focus + 1 : state.focus,
      ArrowUp: state.focus - columns, ArrowDown: state.focus + columns, Home: 0, End: last,
    }[event.key];
    const acts = event.key === " " || event.key === "Enter";
    if (event.key === "Escape") app.show({ held: null, hint: null, pinned: false });
    else if (acts && !event.repeat) app.act(state.focus);
    else if (to >= 0 && to <= last) app.show({ focus: to, ...(state.mode === "look" ? { pick: to, pinned: false } : {}) });
    else if (!acts && to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    focus();
  });
}

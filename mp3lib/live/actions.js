// What a reader can do on the board. app: see board.js.

import { readPicture } from "./drawing.js";
import { percent } from "./panels.js";
import { shuffled } from "./solve.js";

export function actions(app, hasKernel) {
  const { state, show } = app;
  let own = 0; // pictures of the reader's own

  /** Wait for the answer. False where there is none, or where the game or the mode is another one by then. */
  async function isAnswered() {
    const { game, mode } = state;
    await app.settled();
    return app.answer !== null && state.game === game && state.mode === mode;
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
    if (!(await isAnswered())) return;
    const now = performance.now();
    Object.assign(state, { began: state.began ?? now, ended: now });
    await show({ revealed: true, hint: null, held: null });
    app.layout.bringResultsIntoView();
  }

  /** Where would the network put the held patch, or the first one that is wrong? */
  async function hint() {
    if (!(await isAnswered())) return;
    const from = state.held ?? state.order.findIndex((patch, p) => patch !== p);
    if (from < 0) return;
    const patch = state.order[from], to = app.answer.best[patch];
    const sure = percent(app.answer.shares[patch * app.network.n + to]);
    await show({ held: from, hint: to, message: `The network would put this patch at ${app.place(to)} (probability ${sure}).` });
  }

  /** A new game; where there is no network yet, it is asked for again. */
  function shuffleAgain() {
    return show(app.network ? { order: shuffled(app.network.n) } : {});
  }

  function otherPicture() {
    const others = app.pictures.map((_, i) => i).filter((i) => i !== state.picture);
    return show({ picture: others[Math.floor(Math.random() * others.length)] ?? 0 });
  }

  /** Show a picture of the reader's own: the first of the files that were chosen or dropped. */
  async function takeFiles([file, ...others]) {
    await app.settled();
    if (!file || !app.network) return;
    try {
      const pixels = await readPicture(file, app.network.imageSize);
      own++;
      app.pictures.push({ name: own > 1 ? `your picture ${own}` : "your picture", pixels });
      const where = hasKernel ? "Your picture goes to the kernel of this notebook, and nowhere else."
        : "Your picture stays in this page. Patches that look alike cannot be told apart.";
      const left = others.length ? ` Only the first of the ${1 + others.length} files is shown.` : "";
      await show({ picture: app.pictures.length - 1, message: where + left });
    } catch (error) {
      await show({ message: error.message });
    }
  }

  /** A click or a tap on a place, or space. */
  function act(p) {
    if (state.mode === "jigsaw") {
      if (state.revealed) return show({ focus: p });
      return state.held === null ? show({ held: p, focus: p }) : swap(state.held, p);
    }
    if (state.mode === "look") return show({ pick: p, focus: p, pinned: !(state.pinned && state.pick === p) });
    const seen = state.seen.map((s, i) => (i === p ? !s : s));
    return seen.some(Boolean) ? show({ seen, focus: p }) : show({ message: "At least one patch must be seen." });
  }

  return { swap, reveal, hint, shuffleAgain, otherPicture, takeFiles, act };
}

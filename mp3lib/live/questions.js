// Questions to the network, in the page or in the kernel, and what follows from an answer.

import { toFloat } from "./drawing.js";
import { softmax } from "./mp3.js";
import { argmax, assign, rollout } from "./solve.js";

const SILENT = "The kernel has not answered yet. It may be busy with another cell. If it is not, run the cell of this board again.";

/** An answer { logits, attention } with what follows from it; n patches, seen: n booleans, ms: how long it took. */
export function complete({ logits, attention }, { n, config }, seen, ms) {
  const shares = softmax(logits, n), places = assign(logits, n);
  return {
    logits, attention, seen, ms, shares, places, best: argmax(logits, n),
    right: places.filter((p, patch) => p === patch).length,
    sure: places.reduce((sum, p, patch) => sum + shares[patch * n + p] / n, 0),
    rollout: rollout(attention, n, config.context === "frozen"),
  };
}

/** { ask, asking }: ask() asks for the state of app as it is, and asking() is the promise of the answer, or null.
 *
 * While an answer is awaited, only the newest of the questions that follow is asked. app.answer, and app.other where
 * two answers are compared, are set, and then drawn() is called. Where the kernel takes longer than `patience`, in
 * milliseconds, the reader is told.
 */
export function questions(app, kernel, drawn, patience = 5000) {
  const { state } = app;
  let newest = 0, waiting = null;

  async function answerAll() {
    for (let asked = 0; asked !== newest; ) {
      asked = newest;
      const { network, named } = app, picture = app.picture(), { mode, answers } = state, began = performance.now();
      const isWanted = () => app.network === network && app.picture() === picture && state.mode === mode && state.answers === answers;
      const seen = mode === "jigsaw" ? new Array(network.n).fill(true) : [...state.seen], by = kernel ? answers : "page";
      const timer = by === "page" ? null : setTimeout(() => { state.message = SILENT; drawn(); }, patience);
      const timed = async (answer) => complete(await answer, network, seen, performance.now() - began);
      try {
        const answered = await Promise.all([
          ...(by === "kernel" ? [] : [timed(network.predict(toFloat(picture.pixels), seen))]),
          ...(by === "page" ? [] : [timed(kernel(named, picture.pixels, seen))]),
        ]);
        if (asked === newest) waiting = null;
        else if (!isWanted()) continue; // it answers what nobody sees any more
        [app.answer, app.other = null] = answered;
      } catch (error) {
        if (asked === newest) [waiting, state.message] = [null, `There is no answer: ${error.message}`];
      } finally {
        clearTimeout(timer);
        if (state.message === SILENT) state.message = "";
      }
      drawn();
    }
  }

  function ask() {
    newest++;
    waiting ??= answerAll();
    return waiting;
  }
  return { ask, asking: () => waiting };
}

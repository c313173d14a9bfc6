// Questions to the network, in the page or in the kernel, and what follows from an answer.

import { toFloat } from "./drawing.js";
import { softmax } from "./mp3.js";
import { argmax, assign, rollout } from "./solve.js";

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
 * two answers are compared, are set, and then drawn() is called.
 */
export function questions(app, kernel, drawn) {
  const { state } = app;
  let newest = 0, waiting = null;

  async function answerAll() {
    for (let asked = 0; asked !== newest; ) {
      asked = newest;
      const { network, named } = app, picture = app.picture(), { mode, answers } = state, began = performance.now();
      const isWanted = () => app.network === network && app.picture() === picture && state.mode === mode && state.answers === answers;
      const seen = mode === "jigsaw" ? new Array(network.n).fill(true) : [...state.seen], by = kernel ? answers : "page";
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

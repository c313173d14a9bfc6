// What is done with the network's answer: an arrangement of the patches, attention rollout, and shuffling.

import { softmax } from "./mp3.js";

/** The most probable arrangement that uses every place once (the Hungarian method, shortest augmenting paths).
 *
 * logits: (n, n), a row for each patch. Returns the place of every patch.
 */
export function assign(logits, n) {
  const cost = softmax(logits, n).map((p) => -Math.log(Math.max(p, 1e-30)));
  const u = new Float64Array(n + 1), v = new Float64Array(n + 1), patchAt = new Int32Array(n + 1).fill(-1);
  for (let patch = 0; patch < n; patch++) {
    // Place n stands for "none yet". From there a path of cheapest changes leads to a free place.
    const from = new Int32Array(n).fill(n), cheapest = new Float64Array(n).fill(Infinity), done = new Uint8Array(n + 1);
    let place = n;
    patchAt[n] = patch;
    while (patchAt[place] >= 0) {
      const row = patchAt[place];
      let next = -1, step = Infinity;
      done[place] = 1;
      for (let p = 0; p < n; p++) {
        if (done[p]) continue;
        const reduced = cost[row * n + p] - u[row] - v[p];
        if (reduced < cheapest[p]) [cheapest[p], from[p]] = [reduced, place];
        if (cheapest[p] < step) [step, next] = [cheapest[p], p];
      }
      for (let p = 0; p <= n; p++) {
        if (done[p]) { u[patchAt[p]] += step; v[p] -= step; } else if (p < n) cheapest[p] -= step;
      }
      place = next;
    }
    while (place !== n) { patchAt[place] = patchAt[from[place]]; place = from[place]; }
  }
  const placeOf = new Int32Array(n);
  for (let place = 0; place < n; place++) placeOf[patchAt[place]] = place;
  return placeOf;
}

/** The most probable place of every patch, each for itself. */
export function argmax(logits, n) {
  return Int32Array.from({ length: n }, (_, patch) => {
    let best = 0;
    for (let p = 1; p < n; p++) if (logits[patch * n + p] > logits[patch * n + best]) best = p;
    return best;
  });
}

/** Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928): how much of each input patch reaches each output.
 *
 * attention[layer][head] (n, n). Half of a token is what it was, and half comes from the tokens it attends to, the mean
 * over the heads; layer by layer. frozen: every layer attends to the tokens before the first layer.
 */
export function rollout(attention, n, frozen = false) {
  const first = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  let total = first;
  for (const heads of attention) {
    const next = total.map((share) => share / 2), source = frozen ? first : total;
    for (let q = 0; q < n; q++)
      for (let k = 0; k < n; k++) {
        let share = 0;
        for (const head of heads) share += (0.5 * head[q * n + k]) / heads.length;
        if (share) for (let i = 0; i < n; i++) next[q * n + i] += share * source[k * n + i];
      }
    total = next;
  }
  return total;
}

/** A random order of 0 to n - 1 that leaves fewer than half of the places unchanged; random() gives 0 to 1. */
export function shuffled(n, random = Math.random) {
  for (;;) {
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    if (n < 3 || order.filter((patch, place) => patch === place).length < n / 2) return order;
  }
}

/** n booleans, of which the share `ratio` (0 to below 1) is false, at least one true; `ranks` is an order of 0 to n - 1. */
export function seenAt(ratio, ranks) {
  const hidden = Math.min(ranks.length - 1, Math.floor(ratio * ranks.length + 1e-9));
  const seen = new Array(ranks.length).fill(true);
  ranks.slice(0, hidden).forEach((patch) => (seen[patch] = false));
  return seen;
}

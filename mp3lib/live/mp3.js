// The whole network on one screen: MP3, in plain JavaScript.
//
// It reads the weights (`model.safetensors`, `config.json`) as the Python library stores them. `predict` does what
// `MP3.predict` of mp3lib/model/mp3.py does for one picture: every patch attends to the patches that are seen, and
// predicts its own position. Matrices are Float32Array, row by row; n is the number of patches, d the features.

/** The tensors in a safetensors file: {name: {shape, data}}, float16 and float32 both as Float32Array. */
export function readSafetensors(buffer) {
  const view = new DataView(buffer);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: [from, to] } = entry;
    if (dtype !== "F16" && dtype !== "F32") throw new Error(`${name} has the dtype ${dtype}; F16 and F32 are read`);
    const bytes = buffer.slice(start + from, start + to);
    tensors[name] = { shape, data: dtype === "F32" ? new Float32Array(bytes) : halfToFloat(new Uint16Array(bytes)) };
  }
  return tensors;
}

/** float16, as whole numbers of 16 bits, to float32: the same bits in other places, and 127 for 15 in the exponent. */
export function halfToFloat(halves) {
  const out = new Float32Array(halves.length), bits = new Uint32Array(out.buffer);
  halves.forEach((half, i) => {
    const sign = (half & 0x8000) << 16, exponent = (half >> 10) & 31, fraction = half & 1023;
    if (exponent === 31) bits[i] = sign | 0x7f800000 | (fraction << 13); // infinity, or not a number
    else if (exponent) bits[i] = sign | ((exponent + 112) << 23) | (fraction << 13);
    else out[i] = (sign ? -1 : 1) * 2 ** -24 * fraction;
  });
  return out;
}

/** x (rows, inner) times the transpose of weight (columns, inner), plus bias (columns): (rows, columns). */
export function linear(x, weight, bias) {
  const [columns, inner] = weight.shape, w = weight.data, rows = x.length / inner;
  const out = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r += 2) {
    // Two rows and four columns at a time, so that each number read from memory is used several times. At the edges
    // the last row or column is computed again.
    const r1 = Math.min(r + 1, rows - 1), a = r * inner, b = r1 * inner;
    for (let c = 0; c < columns; c += 4) {
      const c1 = Math.min(c + 1, columns - 1), c2 = Math.min(c + 2, columns - 1), c3 = Math.min(c + 3, columns - 1);
      let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
      for (let i = 0, w0 = c * inner, w1 = c1 * inner, w2 = c2 * inner, w3 = c3 * inner; i < inner; i++) {
        const p = x[a + i], q = x[b + i], k0 = w[w0 + i], k1 = w[w1 + i], k2 = w[w2 + i], k3 = w[w3 + i];
        a0 += p * k0; a1 += p * k1; a2 += p * k2; a3 += p * k3;
        b0 += q * k0; b1 += q * k1; b2 += q * k2; b3 += q * k3;
      }
      const top = r * columns, below = r1 * columns;
      out[below + c] = b0; out[below + c1] = b1; out[below + c2] = b2; out[below + c3] = b3;
      out[top + c] = a0; out[top + c1] = a1; out[top + c2] = a2; out[top + c3] = a3;
    }
  }
  if (bias) for (let i = 0; i < out.length; i++) out[i] += bias.data[i % columns];
  return out;
}

/** LayerNorm of each row: mean 0 and variance 1, then a learned scale and shift. */
export function layerNorm(x, weight, bias) {
  const d = weight.data.length, out = new Float32Array(x.length);
  for (let at = 0; at < x.length; at += d) {
    let mean = 0, variance = 0;
    for (let i = 0; i < d; i++) mean += x[at + i] / d;
    for (let i = 0; i < d; i++) variance += (x[at + i] - mean) ** 2 / d;
    const scale = 1 / Math.sqrt(variance + 1e-5);
    for (let i = 0; i < d; i++) out[at + i] = (x[at + i] - mean) * scale * weight.data[i] + bias.data[i];
  }
  return out;
}

/** GELU, x times the normal distribution function; erf as in Abramowitz and Stegun, formula 7.1.26. */
export function gelu(x) {
  return x.map((v) => {
    const z = Math.abs(v) / Math.SQRT2, t = 1 / (1 + 0.3275911 * z);
    const poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    const erf = 1 - poly * Math.exp(-z * z);
    return 0.5 * v * (1 + Math.sign(v) * erf);
  });
}

/** The softmax of each row of n numbers; -Infinity becomes 0. */
export function softmax(scores, n) {
  const out = new Float32Array(scores.length);
  for (let at = 0; at < scores.length; at += n) {
    let highest = -Infinity, sum = 0;
    for (let i = 0; i < n; i++) highest = Math.max(highest, scores[at + i]);
    for (let i = 0; i < n; i++) sum += out[at + i] = Math.exp(scores[at + i] - highest);
    for (let i = 0; i < n; i++) out[at + i] /= sum;
  }
  return out;
}

/** What config.json says of an MP3's input: { channels, imageSize, patchSize, grid, n, heads, depth }. */
export function shapeOf(config) {
  const pair = (size) => (Array.isArray(size) ? size : [size, size]);
  const { image_size, patch_size, channels = 3, heads, depth } = config.vit;
  const imageSize = pair(image_size), patchSize = pair(patch_size);
  const grid = imageSize.map((side, axis) => side / patchSize[axis]);
  return { channels, imageSize, patchSize, grid, n: grid[0] * grid[1], heads, depth };
}

/** A pretrained MP3. config: what config.json holds; tensors: see `readSafetensors`. */
export class MP3 {
  constructor(config, tensors) {
    Object.assign(this, shapeOf(config), { config, tensors });
    if (!tensors["mlp_head.1.weight"]) throw new Error("these are not the weights of an MP3: mlp_head.1.weight is missing");
  }

  /** Pixels (c, H, W) from -1 to 1 as one row of (p1 p2 c) numbers for each patch. */
  patches(pixels) {
    const [height, width] = this.imageSize, [ph, pw] = this.patchSize, [, columns] = this.grid;
    const out = new Float32Array(this.channels * height * width);
    let at = 0;
    for (let patch = 0; patch < this.n; patch++) {
      const top = Math.floor(patch / columns) * ph, left = (patch % columns) * pw;
      for (let y = top; y < top + ph; y++)
        for (let x = left; x < left + pw; x++)
          for (let c = 0; c < this.channels; c++) out[at++] = pixels[(c * height + y) * width + x];
    }
    return out;
  }

  /** Which places does every patch predict, and what does it attend to?
   *
   * pixels: Float32Array (c, H, W) from -1 to 1. seen: n booleans; only seen patches give keys and values.
   * Returns logits (n, n), a row for each patch, and attention[layer][head] (n, n): rows are queries, columns keys.
   */
  predict(pixels, seen) {
    const { n, heads, tensors } = this;
    if (pixels.length !== this.channels * this.imageSize[0] * this.imageSize[1])
      throw new Error(`the picture must have ${this.channels} x ${this.imageSize.join(" x ")} numbers, got ${pixels.length}`);
    if (seen.length !== n) throw new Error(`${n} booleans must say which patches are seen, got ${seen.length}`);
    if (!seen.some(Boolean)) throw new Error(`at least one of ${n} patches must be seen`);
    const at = (name, part) => tensors[`${name}.${part}`];
    const norm = (x, name) => layerNorm(x, at(name, "weight"), at(name, "bias"));
    const dense = (x, name) => linear(x, at(name, "weight"), at(name, "bias"));
    const add = (x, y) => x.map((v, i) => v + y[i]);

    let x = this.patches(pixels);
    if (tensors["vit.to_patch_embedding.1.weight"]) x = norm(x, "vit.to_patch_embedding.1");
    x = norm(dense(x, "vit.to_patch_embedding.2"), "vit.to_patch_embedding.3"); // tokens (n, d), no positions added
    const raw = x, attention = [];
    for (let layer = 0; layer < this.depth; layer++) {
      const attend = `vit.transformer.layers.${layer}.0`, forward = `vit.transformer.layers.${layer}.1.net`;
      const context = this.config.context === "frozen" ? raw : x; // a static context is seen as it entered
      const queries = linear(norm(x, `${attend}.norm`), at(attend, "to_q.weight"));
      const keysValues = linear(norm(context, `${attend}.norm`), at(attend, "to_kv.weight"));
      const { mixed, weights } = mixValues(queries, keysValues, n, heads, seen);
      attention.push(weights);
      x = add(x, dense(mixed, `${attend}.to_out.0`));
      x = add(x, dense(gelu(dense(norm(x, `${forward}.0`), `${forward}.1`)), `${forward}.4`));
    }
    return { logits: dense(norm(x, "mlp_head.0"), "mlp_head.1"), attention };
  }
}

/** Attention of n queries over the k seen patches, head by head: mixed values (n, d) and weights [head] (n, n). */
export function mixValues(queries, keysValues, n, heads, seen) {
  const inner = queries.length / n, size = inner / heads, mixed = new Float32Array(queries.length), weights = [];
  const context = [...seen.keys()].filter((patch) => seen[patch]), k = context.length;
  for (let head = 0; head < heads; head++) {
    const q = new Float32Array(n * size), keys = new Float32Array(k * size), values = new Float32Array(size * k);
    for (let i = 0; i < size; i++) {
      const feature = head * size + i;
      for (let patch = 0; patch < n; patch++) q[patch * size + i] = queries[patch * inner + feature] / Math.sqrt(size);
      context.forEach((patch, c) => {
        keys[c * size + i] = keysValues[patch * 2 * inner + feature];
        values[i * k + c] = keysValues[patch * 2 * inner + inner + feature]; // already the transpose
      });
    }
    const shares = softmax(linear(q, { shape: [k, size], data: keys }), k); // (n, k)
    const out = linear(shares, { shape: [size, k], data: values }); // (n, size)
    const all = new Float32Array(n * n); // 0 for patches that are hidden
    for (let patch = 0; patch < n; patch++) {
      context.forEach((key, c) => (all[patch * n + key] = shares[patch * k + c]));
      for (let i = 0; i < size; i++) mixed[patch * inner + head * size + i] = out[patch * size + i];
    }
    weights.push(all);
  }
  return { mixed, weights };
}

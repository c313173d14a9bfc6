// Pictures, small maps and elements of the page.

/** An element with attributes and children; functions are event listeners. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  // JupyterLab takes keys for its own commands, but not from an element with this attribute.
  if (["button", "select", "input"].includes(tag)) made.setAttribute("data-lm-suppress-shortcuts", "true");
  if (tag === "button") made.type = "button";
  made.append(...children);
  return made;
}

/** Pixels (H, W, 4) of 0 to 255 as the network takes them: (3, H, W) from -1 to 1. */
export function toFloat(pixels) {
  const size = pixels.length / 4, out = new Float32Array(3 * size);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) out[c * size + i] = pixels[4 * i + c] / 127.5 - 1;
  return out;
}

/** A file as something that a canvas draws, turned as its EXIF data say. */
async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    const image = new Image(); // it also reads SVG
    image.src = URL.createObjectURL(file);
    try {
      await image.decode();
    } finally {
      URL.revokeObjectURL(image.src);
    }
    if (!image.width || !image.height) throw new Error("without a size");
    return image;
  }
}

/** What a canvas draws, as pixels (height, width, 4): cut to its middle, then made smaller. */
function pixelsOf(image, height, width) {
  const scale = Math.min(image.width / width, image.height / height), w = width * scale, h = height * scale;
  const canvas = element("canvas", { width, height }), context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // behind transparent pixels
  context.fillRect(0, 0, width, height);
  context.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** A file of any size as pixels (height, width, 4). */
export async function readPicture(file, [height, width]) {
  try {
    const image = await decoded(file), pixels = pixelsOf(image, height, width);
    image.close?.(); // a large bitmap takes much memory
    return pixels;
  } catch {
    throw new Error(`${file.name || "This file"} is not a picture that this browser can read. Choose a PNG or JPEG file.`);
  }
}

/** A picture whose patches stand in another order, as a canvas of H x W pixels; order[place] is a patch. */
export function pictureOf(pixels, { imageSize: [height, width], patchSize: [ph, pw], grid: [, columns] }, order = null) {
  const whole = element("canvas", { width, height });
  whole.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
  if (!order) return whole;
  const made = element("canvas", { width, height }), context = made.getContext("2d");
  order.forEach((patch, place) => {
    const from = [(patch % columns) * pw, Math.floor(patch / columns) * ph];
    context.drawImage(whole, ...from, pw, ph, (place % columns) * pw, Math.floor(place / columns) * ph, pw, ph);
  });
  return made;
}

/** A map of n values from 0 to 1 as a canvas: dark where high, hidden patches hatched, one place outlined. */
export function mapOf(values, [rows, columns], { cell, words, hidden = [], outline = -1 }) {
  const ratio = 2, side = cell * ratio, highest = Math.max(...values, 1e-9); // drawn at twice the density
  const map = element("canvas", { width: columns * side, height: rows * side, class: "live-map", role: "img", "aria-label": words });
  map.style.width = `${columns * cell}px`;
  const context = map.getContext("2d");
  for (let p = 0; p < rows * columns; p++) {
    const x = (p % columns) * side, y = Math.floor(p / columns) * side;
    const share = values[p] / highest, mix = (light, dark) => Math.round(light + share * (dark - light));
    context.fillStyle = hidden[p] ? "#c8c8c8" : `rgb(${mix(242, 0)} ${mix(242, 84)} ${mix(242, 166)})`;
    context.fillRect(x, y, side, side);
    if (!hidden[p]) continue;
    context.strokeStyle = "#777";
    context.beginPath();
    context.moveTo(x, y + side - 1);
    context.lineTo(x + side - 1, y);
    context.stroke();
  }
  if (outline >= 0) {
    context.strokeStyle = "#e69f00";
    context.lineWidth = 2 * ratio;
    const x = (outline % columns) * side, y = Math.floor(outline / columns) * side;
    context.strokeRect(x + ratio, y + ratio, side - 2 * ratio, side - 2 * ratio);
  }
  return map;
}

"""A control for one patch of a grid, by mouse, touch or arrow keys."""

from __future__ import annotations

import base64

import anywidget
import numpy as np
import traitlets

from ..plots import patch_grid
from .controls import as_value_error
from .stored import png


class PatchPicker(anywidget.AnyWidget):
    """A grid of numbered patches, of which one is picked: by mouse, touch or arrow keys. See `patch_picker`."""

    label = traitlets.Unicode().tag(sync=True)
    rows = traitlets.Int().tag(sync=True)
    columns = traitlets.Int().tag(sync=True)
    value = traitlets.Int(help="index of the picked patch, row by row from the top left").tag(sync=True)

    # A group of radio buttons: Tab reaches only the picked one, and arrow keys move the pick.
    # JupyterLab leaves keys alone where the focused element has the attribute data-lm-suppress-shortcuts.
    _esm = """
    function render({ model, el }) {
      const label = model.get("label"), rows = model.get("rows"), columns = model.get("columns")
      const make = (parent, tag, className, attributes = {}) => {
        const element = document.createElement(tag)
        element.className = className
        for (const name in attributes) element.setAttribute(name, attributes[name])
        parent.append(element)
        return element
      }
      el.classList.add("mp3-picker")
      make(el, "span", "mp3-picker-label").textContent = label
      const grid = make(el, "div", "mp3-picker-grid", { role: "radiogroup", "aria-label": label })
      grid.style.gridTemplateColumns = `repeat(${columns}, auto)`
      const patches = [...Array(rows * columns).keys()].map((i) => {
        const name = `${label} ${i}: row ${Math.floor(i / columns)}, column ${i % columns}`
        const patch = make(grid, "button", "", {
          type: "button", role: "radio", "aria-label": name, title: name, "data-lm-suppress-shortcuts": "true",
        })
        patch.textContent = i
        patch.addEventListener("click", () => pick(i))
        return patch
      })

      function show() {
        patches.forEach((patch, i) => {
          const picked = i === model.get("value")
          patch.setAttribute("aria-checked", picked)
          patch.tabIndex = picked ? 0 : -1
        })
      }
      function pick(i) {
        model.set("value", i)
        model.save_changes()
        patches[i].focus()
      }
      grid.addEventListener("keydown", (event) => {
        const i = model.get("value"), row = Math.floor(i / columns), column = i % columns
        const to = {
          ArrowUp: row > 0 ? i - columns : i,
          ArrowDown: row < rows - 1 ? i + columns : i,
          ArrowLeft: column > 0 ? i - 1 : i,
          ArrowRight: column < columns - 1 ? i + 1 : i,
          Home: 0,
          End: patches.length - 1,
        }[event.key]
        if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return // else they are the browser's
        event.preventDefault()
        event.stopPropagation()
        pick(to)
      })
      model.on("change:value", show)
      show()
      return () => model.off("change:value", show)
    }
    export default { render }
    """
    _css = """
    .mp3-picker { display: flex; align-items: center; gap: 8px; width: fit-content; margin: 2px; }
    .mp3-picker-label { font-size: var(--jp-widgets-font-size, 13px); color: var(--jp-ui-font-color1, inherit); }
    .mp3-picker-grid { display: grid; gap: 2px; }
    .mp3-picker-grid button {
      min-width: 32px; height: 26px; padding: 0; border: 1px solid var(--jp-border-color1, #999); cursor: pointer;
      background: var(--jp-layout-color2, #eee); color: var(--jp-ui-font-color1, #222); font-size: 12px;
      touch-action: manipulation;
    }
    .mp3-picker-grid button[aria-checked=true] { background: #0072B2; color: white; font-weight: bold; }
    .mp3-picker-grid button:focus-visible { outline: 3px solid #E69F00; outline-offset: 0; }
    """

    def __init__(self, label: str, rows: int, columns: int, value: int):
        super().__init__(label=label, rows=rows, columns=columns, value=value)

    @traitlets.validate("value")
    def _on_the_grid(self, proposal):
        if not 0 <= proposal.value < self.rows * self.columns:
            raise ValueError(
                f"patch {proposal.value} is not on a grid of {self.rows} x {self.columns}: "
                f"0 to {self.rows * self.columns - 1}"
            )
        return proposal.value

    def _repr_mimebundle_(self, **kwargs):
        # a constant text, and a PNG for pages without a kernel
        data, metadata = super()._repr_mimebundle_(**kwargs)
        grey = np.full((3, 8 * self.rows, 8 * self.columns), 200, np.uint8)
        picture = png(patch_grid(grey, 8, numbers=True, mark=self.value))
        return data | {
            "text/plain": f"[patch picker: {self.label}]",
            "image/png": base64.b64encode(picture).decode(),
        }, metadata


def patch_picker(label: str, grid: tuple[int, int], value: int = 0) -> PatchPicker:
    """A control for one patch of a grid: a click or a touch picks a patch, and the arrow keys move to its neighbours.

    grid: (rows, columns); value: index of the patch selected first.
    `draw` receives the index of the patch, counted row by row from the top left.
    Raises ValueError for an index outside the grid.
    """
    with as_value_error():
        rows, columns = grid if isinstance(grid, (tuple, list)) and len(grid) == 2 else (None, None)
        return PatchPicker(label, rows, columns, value)

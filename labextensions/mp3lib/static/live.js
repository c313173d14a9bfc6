// A plugin of JupyterLab for the notebooks of mp3lib. JupyterLab loads this file as it is; there is no build.
//
// 1. A live figure whose kernel has stopped shows the picture stored beside it, and a note.
// 2. Controls on the page are marked when their kernel restarts or stops.
// 3. Notebooks that use mp3lib have prose in lines of at most about 90 characters.
// 4. A notebook is marked as unsaved only if its cells or its kernel differ from what is saved.
// 5. Screen readers hear the label of every slider, number, list and button of a live figure.
// 6. A notebook that was closed while a cell ran says what to run again.
// 7. In a dark theme figures are dark; pictures in them stay as they are (dark.css, beside this file).
(() => {
  const DARK = new URL("dark.css", document.currentScript.src).href
  const WIDGET = "application/vnd.jupyter.widget-view+json"
  const STORED = "This is the stored picture. To use its controls, run the cells above, then run this cell again."
  const UNKNOWN = "This output belongs to a kernel that has stopped. Run the cells above, then run this cell again."
  const DEAD = "The kernel of these controls has stopped. Run the cells above, then run this cell again."
  const BUSY =
    "A cell that was started before this notebook was opened is still running. What it shows will not appear here: " +
    "wait until the kernel is idle, then run that cell again. The kernel's variables are kept."
  const UNFINISHED = "The end of this cell was not seen, because the notebook was closed. Run this cell again."
  const STYLE = `
    .mp3-note {
      margin: 0.4em 0; padding: 0.3em 0.8em; border-left: 4px solid #D55E00; width: fit-content;
      color: var(--jp-content-font-color1); font: var(--jp-content-font-size1) / 1.5 var(--jp-content-font-family);
    }
    .mp3-stored img { display: block; max-width: 100%; height: auto; }
    .mp3-dead :is(.live, .mp3-picker, .widget-inline-hbox, button):not(.mp3-dead :is(.live, .mp3-picker, .widget-inline-hbox) *) {
      opacity: 0.4; /* once: a control inside of another one is pale already */
    }
    .mp3-dead .jupyter-widgets-disconnected::before { content: none; } /* the note says more than these signs */
    .mp3-reading .jp-RenderedMarkdown > :is(p, ul, ol, blockquote, details):not(:has(img)) { max-width: 43em; }
    .mp3-reading .jp-RenderedMarkdown table { margin-left: 0; } /* below the prose, not in the middle of a wide window */
  `

  function noteOf(text) {
    const note = Object.assign(document.createElement("p"), { className: "mp3-note", textContent: text })
    note.setAttribute("role", "status")
    return note
  }

  // Replace ipywidgets' "Loading widget..." or "model not found" by the stored picture, where there is one.
  function showStored(node, model, text) {
    const parts = text ? [noteOf(text)] : []
    if (model.data["image/png"]) {
      const { alt = "", width = "" } = model.metadata["image/png"] ?? {}
      const image = Object.assign(document.createElement("img"), { alt, width })
      if (!width) image.removeAttribute("width")
      image.src = `data:image/png;base64,${model.data["image/png"]}`
      parts.push(image)
    }
    node.classList.remove("jupyter-widgets") // the class that reports the fault
    node.classList.add("mp3-stored")
    node.replaceChildren(...parts)
  }

  function markDead(renderer) {
    if (renderer.isDisposed || renderer.hasClass("mp3-dead")) return
    renderer.addClass("mp3-dead")
    renderer.node.prepend(noteOf(DEAD))
    for (const widget of renderer.widgets) widget.node.inert = true // neither mouse nor keyboard reaches it
  }

  // ipywidgets puts a label beside a control. Here the control also gets it as its name, as soon as it is on the page.
  function nameControls(node) {
    const name = () => {
      for (const row of node.querySelectorAll(".widget-inline-hbox")) {
        const label = row.querySelector(".widget-label")?.textContent.trim()
        if (!label) continue
        for (const control of row.querySelectorAll("[role=slider], .widget-readout, select, input"))
          if (!control.hasAttribute("aria-label")) control.setAttribute("aria-label", label)
        row.querySelector(".widget-readout")?.setAttribute("role", "textbox") // it can be typed into
        const slider = row.querySelector("[role=slider]"), shown = row.querySelector(".widget-readout")?.textContent
        if (slider && shown && slider.getAttribute("aria-valuetext") !== shown) slider.setAttribute("aria-valuetext", shown)
      }
      for (const button of node.querySelectorAll(".widget-play button"))
        if (!button.hasAttribute("aria-label")) button.setAttribute("aria-label", button.title || button.className)
    }
    new MutationObserver(name).observe(node, { childList: true, subtree: true, characterData: true })
    name()
  }

  // `renderer` shows outputs of ipywidgets. `alive`: the renderers of a notebook whose widgets have a kernel.
  function improve(renderer, alive) {
    const render = renderer.renderModel.bind(renderer)
    nameControls(renderer.node)
    renderer.renderModel = async (model) => {
      renderer.removeClass("mp3-dead")
      const done = render(model)
      if (model.data["image/png"]) showStored(renderer.node, model, "") // while the model is looked for
      await done
      if (renderer.widgets.length) {
        renderer.removeClass("mp3-stored")
        for (const element of renderer.node.querySelectorAll(":scope > :is(img, .mp3-note)")) element.remove()
        alive.add(renderer)
      } else {
        showStored(renderer.node, model, model.data["image/png"] ? STORED : UNKNOWN)
      }
    }
  }

  // A picture stored without its widget, as in the notebooks that are published.
  function addNote(renderer) {
    const render = renderer.renderModel.bind(renderer)
    renderer.renderModel = async (model) => {
      await render(model)
      const isLive = /^\[(live figure|patch picker|patch board):/.test(String(model.data["text/plain"] ?? ""))
      if (isLive && !renderer.node.querySelector(".mp3-note")) renderer.node.prepend(noteOf(STORED))
    }
  }

  // When a notebook opens, JupyterLab notes the version of Python in it, and marks it as unsaved for that alone.
  function ignoreVersions(context, model) {
    const content = () => JSON.stringify([model.toJSON().cells, model.getMetadata("kernelspec")?.name])
    let saved = content()
    const compare = () => { if (model.dirty && content() === saved) model.dirty = false }
    model.stateChanged.connect((_, { name }) => { if (name === "dirty") queueMicrotask(compare) })
    context.saveState.connect((_, state) => { if (state === "completed") saved = content() })
    compare()
  }

  // Outputs that a kernel makes while no page is open are lost, and the cell is stored without a number.
  // `earlier`: the kernels that ran before the notebook was opened. One that has just started is busy for a moment, too.
  async function tellUnfinished({ content, sessionContext }, kernels, earlier) {
    const cells = content.widgets.filter(({ model }) => model.type === "code" && model.sharedModel.getSource().trim())
    const open = cells.find(({ model }) => model.executionCount === null)
    const someRan = cells.some(({ model }) => model.executionCount !== null)
    await sessionContext.ready
    const { kernel } = sessionContext.session ?? {}
    // a kernel that has just started tells about itself at once; one that runs a cell does so afterwards
    await Promise.race([kernel?.info, new Promise((resolve) => setTimeout(resolve, 1500))])
    await kernels.refreshRunning()
    const before = [...kernels.running()].find(({ id }) => id === kernel?.id)
    const runsHere = () => cells.some(({ promptNode }) => promptNode?.textContent.includes("*"))
    const isBusy = (await earlier).has(kernel?.id) && before?.execution_state === "busy" && kernel.status !== "idle"
    if (runsHere() || !(isBusy || (open && someRan))) return
    const cell = open ?? content.widgets[0], note = noteOf(isBusy ? BUSY : UNFINISHED)
    cell.node.prepend(note)
    const change = (_, { name }) => { if (name === "executionCount" || name === "executionState") done() }
    const idle = (_, status) => { if (status === "idle") open && someRan ? (note.textContent = UNFINISHED) : done() }
    const done = () => {
      note.remove()
      cell.model.stateChanged.disconnect(change)
      sessionContext.statusChanged.disconnect(idle)
    }
    cell.model.stateChanged.connect(change)
    if (isBusy) sessionContext.statusChanged.connect(idle)
  }

  function follow(panel, kernels) {
    const alive = new Set()
    const earlier = kernels.refreshRunning().then(() => new Set([...kernels.running()].map(({ id }) => id)))
    const registry = panel.content.rendermime, create = registry.createRenderer.bind(registry)
    registry.createRenderer = (type, options) => {
      const renderer = create(type, options)
      if (type === WIDGET) improve(renderer, alive)
      if (type === "image/png") addNote(renderer)
      return renderer
    }
    const kernelStopped = () => {
      alive.forEach(markDead)
      alive.clear()
    }
    panel.sessionContext.kernelChanged.connect((_, { oldValue }) => { if (oldValue) kernelStopped() })
    panel.sessionContext.statusChanged.connect((_, status) => {
      if (["restarting", "autorestarting", "terminating", "dead"].includes(status)) kernelStopped()
    })
    panel.context.ready.then(() => {
      const model = panel.content.model
      const sources = [...model.cells].map((cell) => cell.sharedModel.getSource())
      const uses = sources.some((source) => source.includes("mp3lib"))
      panel.toggleClass("mp3-reading", uses)
      if (!uses) return
      ignoreVersions(panel.context, model)
      tellUnfinished(panel, kernels, earlier)
    })
  }

  let shared // the modules that JupyterLab shares with its plugins: name -> version -> module
  window._JUPYTERLAB ??= {}
  window._JUPYTERLAB["mp3lib"] = {
    init: (modules) => { shared = modules },
    get: async () => {
      const [notebook] = Object.values(shared["@jupyterlab/notebook"])
      const { INotebookTracker } = (await notebook.get())()
      const activate = (app, tracker) => {
        document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE }))
        document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: DARK }))
        const { kernels } = app.serviceManager
        tracker.forEach((panel) => follow(panel, kernels))
        tracker.widgetAdded.connect((_, panel) => follow(panel, kernels))
      }
      const plugin = { id: "mp3lib:live", autoStart: true, requires: [INotebookTracker], activate }
      return () => ({ __esModule: true, default: plugin }) // without __esModule JupyterLab shows an empty page
    },
  }
})()

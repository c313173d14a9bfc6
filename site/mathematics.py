"""Formulas as SVG, drawn while the site is built: no script and no font has to be fetched by the reader's browser."""

import html
import re

import ziamath
from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

SIZE = 16  # pixels of the font that the numbers below are in; the page scales them with its text
logger = logging.getLogger(__name__)


def svg(tex: str, inline: bool) -> str:
    """A formula as an <svg> that follows the size and the colour of the text around it, and can be read aloud."""
    ziamath.config.svg2 = False  # paths instead of shared symbols, whose ids would clash on one page
    formula = ziamath.Latex(tex, size=SIZE, color="currentColor", inline=inline)
    if unknown := re.search(r"\\\w*", convert(tex)):  # what the parser does not know it passes on as text
        raise ValueError(f"unknown command {unknown[0]}")
    drawn = formula.svg()
    below = formula.getyofst() / SIZE
    name = html.escape(tex, quote=True)
    width, height = (float(re.search(rf'\b{side}="([\d.]+)"', drawn)[1]) / SIZE for side in ("width", "height"))
    drawn = re.sub(r' width="[\d.]+" height="[\d.]+"', "", drawn, count=1)
    style = f"width:{width:.3f}em;height:{height:.3f}em;vertical-align:{below:.3f}em"
    return drawn.replace("<svg ", f'<svg class="formula" role="img" aria-label="{name}" style="{style}" ', 1)


def drawn(self, node, inline: bool) -> str:
    tex = node.astext()
    try:
        return svg(tex, inline)
    except Exception as error:  # whatever a formula may do to the parser, the page has to say so
        logger.warning("formula %r: %s", tex, error, location=node)
        return f"<code>{html.escape(tex)}</code>"


def visit_inline(self, node) -> None:
    self.body.append(drawn(self, node, inline=True))
    raise nodes.SkipNode


def visit_block(self, node) -> None:
    self.body.append(f'<div class="formula">{drawn(self, node, inline=False)}</div>')
    raise nodes.SkipNode


def setup(app) -> dict:
    app.add_html_math_renderer("svg", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

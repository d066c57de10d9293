# SPDX-License-Identifier: ISC
"""One chart of lines as SVG: light, with axes that name their units, and text as text."""
import html
import math

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 46, 52
LEGEND = 200
COLOURS = ("#1668a7", "#c2502e", "#5c7f1f", "#7a4fa3")
DASHES = ("", "7 4", "2 3", "9 3 2 3")
STYLE = """text { font: 13px system-ui, sans-serif; fill: #222 }
.title { font-size: 15px; font-weight: 600 }
.grid { stroke: #e3e3e3 }
.axis { stroke: #555 }"""


def ticks(low, high):
    step = 10 ** math.floor(math.log10((high - low) / 4 or 1))
    step = next(step * times for times in (1, 2, 2.5, 5, 10) if (high - low) / (step * times) <= 5)
    return [low + step * n for n in range(int((high - low) / step + 1e-9) + 1)]


def label(value):
    return f"{value:g}" if value < 10000 else f"{value:,.0f}".replace(",", "\u202f")


def chart(title, x_title, y_title, series, logarithmic=False, y_most=None):
    """`series`: (name, [(x, y), ...]). With a logarithmic x-axis every x is marked as it is."""
    xs = sorted({x for _, points in series for x, _ in points})
    most = y_most or max(y for _, points in series for _, y in points) * 1.05
    place = math.log10 if logarithmic else float
    low, high = place(xs[0]), place(xs[-1])
    right, bottom = WIDTH - RIGHT - LEGEND, HEIGHT - BOTTOM

    def at_x(x):
        return LEFT + (place(x) - low) / (high - low) * (right - LEFT)

    def at_y(y):
        return bottom - y / most * (bottom - TOP)

    def text(x, y, what, more=""):
        return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{html.escape(what)}</text>'

    def line(x1, y1, x2, y2, kind):
        return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'

    out = ['<?xml version="1.0" encoding="UTF-8"?>', "<!-- SPDX-License-Identifier: ISC -->",
           f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
           f'aria-label="{html.escape(title)}">', f"<style>{STYLE}</style>",
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', text(LEFT, 24, title, ' class="title"')]
    for y in ticks(0, most):
        out += [line(LEFT, at_y(y), right, at_y(y), "grid"), text(LEFT - 8, at_y(y) + 4, label(y), ' text-anchor="end"')]
    for x in xs if logarithmic else ticks(xs[0], xs[-1]):
        out += [line(at_x(x), bottom, at_x(x), bottom + 5, "axis"),
                text(at_x(x), bottom + 20, label(x), ' text-anchor="middle"')]
    out += [line(LEFT, TOP, LEFT, bottom, "axis"), line(LEFT, bottom, right, bottom, "axis"),
            text((LEFT + right) / 2, HEIGHT - 10, x_title, ' text-anchor="middle"'),
            text(0, 0, y_title, f' text-anchor="middle" transform="translate(16 {(TOP + bottom) / 2:.0f}) rotate(-90)"')]
    for n, (name, points) in enumerate(series):
        drawn = f'fill="none" stroke="{COLOURS[n]}" stroke-width="2.2" stroke-dasharray="{DASHES[n]}"'
        path = " ".join(f"{at_x(x):.1f},{at_y(min(y, most)):.1f}" for x, y in points)
        out.append(f'<polyline {drawn} points="{path}"/>')
        if len(points) <= 12:
            out += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3.2" fill="{COLOURS[n]}"/>' for x, y in points]
        y = TOP + 12 + 24 * n
        out += [f'<line {drawn} x1="{right + 16}" y1="{y}" x2="{right + 46}" y2="{y}"/>', text(right + 54, y + 4, name)]
    return "\n".join(out + ["</svg>", ""])

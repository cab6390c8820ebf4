"""Accuracy against coverage as one SVG picture: where each model stands, and what following the trend costs."""

from collections.abc import Callable
from html import escape

from engine.recommend.evaluate.contenders import OURS_FREE
from engine.recommend.evaluate.evaluation import Evaluation
from engine.recommend.evaluate.measures import CUT

WIDTH, HEIGHT, MARGIN = 720, 440, 70
INK, LINE, OURS, OTHERS = "#1c2b2a", "#d8dfdd", "#0b6e5f", "#7a8a88"


def plot(found: Evaluation) -> str:
    """An SVG document. Coverage runs to the right, NDCG@10 upwards; the line is ours with less and more trend."""
    points = [(result.measures.coverage, result.measures.ndcg, result.name) for result in found.results]
    line = [(coverage, ndcg, f"{trend:g}×") for trend, coverage, ndcg in found.trade_off]
    right = _round_up(max(x for x, _, _ in [*points, *line]))
    top = _round_up(max(y for _, y, _ in [*points, *line]))

    def at(coverage: float, ndcg: float) -> tuple[float, float]:
        return (
            MARGIN + coverage / right * (WIDTH - 2 * MARGIN),
            HEIGHT - MARGIN - ndcg / top * (HEIGHT - 2 * MARGIN),
        )

    body = [*_grid(right, top, at)]
    if len(line) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(x, y) for x, y, _ in line))
        body.append(f'<polyline points="{path}" fill="none" stroke="{OURS}" stroke-width="2"/>')
        body += [_dot(*at(x, y), OURS, 3) + _above(*at(x, y), name) for x, y, name in line]
    for x, y, name in points:
        mine = name.startswith("ours")
        lower = 20 * (1 + (name == OURS_FREE)) if mine else 0  # below the line, one under the other
        body.append(_dot(*at(x, y), OURS if mine else OTHERS, 6) + _beside(*at(x, y), name, lower))
    title = f"{found.customers:,} people, {found.days} days from {found.summary()['split_at']}"
    if len(line) > 1:
        title += "; the line is ours with less and more of the trend"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
        f"<title>Accuracy against coverage</title>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
        f'<text x="{MARGIN}" y="26" font-size="15" font-weight="600">Accuracy against coverage</text>'
        f'<text x="{MARGIN}" y="44">{escape(title)}</text>' + "".join(body) + "</svg>\n"
    )


def _grid(right: float, top: float, at: Callable[[float, float], tuple[float, float]]) -> list[str]:
    found = []
    for step in range(5):
        x, bottom = at(right * step / 4, 0)
        left, y = at(0, top * step / 4)
        found += [
            f'<path d="M{x:.1f} {bottom:.1f}V{MARGIN}M{left:.1f} {y:.1f}H{WIDTH - MARGIN}" stroke="{LINE}"/>',
            f'<text x="{x:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{right * step / 4:.0%}</text>',
            f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{top * step / 4:.3f}</text>',
        ]
    return [
        *found,
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">coverage of the candidates</text>',
        f'<text transform="translate(18 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">NDCG@{CUT}</text>',
    ]


def _dot(x: float, y: float, colour: str, radius: int) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'


def _above(x: float, y: float, name: str) -> str:
    return f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle" fill="{OURS}">{escape(name)}</text>'


def _beside(x: float, y: float, name: str, lower: int) -> str:
    """The name to the right of the dot, or to the left where it would run out of the picture."""
    end = x > WIDTH - 2 * MARGIN - 60
    anchor, shift = ("end", -10) if end else ("start", 10)
    return f'<text x="{x + shift:.1f}" y="{y + 4 + lower:.1f}" text-anchor="{anchor}">{escape(name)}</text>'


def _round_up(value: float) -> float:
    """The next fifth above, or of small values the next twenty-fifth, so that the axes have round ends."""
    step = 0.2 if value > 0.2 else 0.04
    return max(step, -(-value // step) * step)

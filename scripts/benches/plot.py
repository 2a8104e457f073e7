"""A plot of the figures as an SVG: bars, a group for each row."""

from xml.sax.saxutils import escape

COLOURS = {"halfpage": "#d9480f", "linux-pv": "#1c7ed6", "linux-pvh": "#74b816"}
WIDTH, LEFT, RIGHT = 900, 300, 110
BAR, GAP, TOP = 14, 14, 70


def svg(title, groups):
    """groups: (label, unit, {guest: value}). Each group has its own scale: its largest bar is the full width."""
    guests = list(dict.fromkeys(guest for _, _, values in groups for guest in values))
    lines, y = [], TOP
    for label, unit, values in groups:
        present = {guest: value for guest, value in values.items() if value}
        if not present:
            continue
        middle = y + BAR * len(present) / 2 + 4
        lines.append(f'<text x="{LEFT - 10}" y="{middle:.0f}" text-anchor="end">{escape(label)}</text>')
        largest = max(present.values())
        for guest, value in present.items():
            width = max((WIDTH - LEFT - RIGHT) * value / largest, 1)
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[guest]}"/>')
            text = escape(f"{number(value)} {unit}")
            lines.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + BAR - 4}" class="value">{text}</text>')
            y += BAR
        y += GAP
    legend, x = [], LEFT
    for guest in guests:
        legend.append(f'<rect x="{x}" y="38" width="12" height="12" fill="{COLOURS[guest]}"/>')
        legend.append(f'<text x="{x + 17}" y="48">{escape(guest)}</text>')
        x += 110
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">',
        "<style>text { fill: #222 } .value { fill: #555; font-size: 11px }</style>",
        f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>',
        f'<text x="20" y="24" font-size="16">{escape(title)}</text>',
        *legend, *lines, "</svg>", "",
    ])  # fmt: skip


def number(value):
    """Three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

"""A picture of how long answers took, second by second, as SVG."""

import math

WIDTH, HEIGHT, LEFT, TOP, GAP = 1100, 220, 70, 46, 54
FASTEST, SLOWEST = 0.001, 30.0  # seconds, the bounds of the logarithmic scale
STYLE = ("text{font:12px sans-serif;fill:#333}.title{font-weight:bold;font-size:14px}"
         ".change{fill:#dde6f2}.median{stroke:#2563a8}.worst{stroke:#c77d1a}"
         "polyline{fill:none;stroke-width:1.2}.failed{fill:#c0182b}.grid{stroke:#ccc;stroke-width:.5}")


def draw(panels):
    """`panels`: (title, answers of tests/lib/shop_load.py, [(begun, ended) of each change])."""
    height = TOP + len(panels) * (HEIGHT + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">',
             f"<style>{STYLE}</style>",
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             f'<text x="{LEFT}" y="18">How long answers took: median (blue) and 99th percentile '
             "(orange) of each second; red: failed requests; shaded: a change is deployed</text>"]
    for number, (title, answers, changes) in enumerate(panels):
        parts += draw_panel(title, answers, changes, TOP + number * (HEIGHT + GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def draw_panel(title, answers, changes, top):
    begin = min(entry["at"] for entry in answers)
    end = max(entry["at"] for entry in answers)

    def x(at):
        return LEFT + (at - begin) / (end - begin) * (WIDTH - LEFT - 20)

    def y(seconds):
        share = math.log(min(max(seconds, FASTEST), SLOWEST) / FASTEST)
        return top + HEIGHT - share / math.log(SLOWEST / FASTEST) * HEIGHT

    by_second = {}
    for entry in answers:
        by_second.setdefault(int(entry["at"] - begin), []).append(entry)
    failed = sum(bool(entry["problem"]) for entry in answers)
    parts = [f'<text class="title" x="{LEFT}" y="{top - 6}">{title}: {len(answers)} requests, '
             f"{failed} failed</text>"]
    for begun, ended in changes:
        parts.append(f'<rect class="change" x="{x(begun):.1f}" y="{top}" '
                     f'width="{x(ended) - x(begun):.1f}" height="{HEIGHT}"/>')
    for seconds, name in ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1, "1 s"),
                          (10, "10 s")):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(seconds):.1f}" '
                     f'y2="{y(seconds):.1f}"/><text x="{LEFT - 8}" y="{y(seconds) + 4:.1f}" '
                     f'text-anchor="end">{name}</text>')
    for minute in range(int((end - begin) // 60) + 1):
        parts.append(f'<text x="{x(begin + minute * 60):.1f}" y="{top + HEIGHT + 16}">'
                     f"{minute} min</text>")
    for share, name in ((0.5, "median"), (0.99, "worst")):
        points = []
        for second, entries in sorted(by_second.items()):
            took = sorted(entry["took"] for entry in entries)
            points.append(f"{x(begin + second):.1f},{y(took[int(len(took) * share)]):.1f}")
        parts.append(f'<polyline class="{name}" points="{" ".join(points)}"/>')
    for second, entries in sorted(by_second.items()):
        bad = sum(bool(entry["problem"]) for entry in entries)
        if bad:
            size = bad / len(entries) * HEIGHT
            parts.append(f'<rect class="failed" x="{x(begin + second):.1f}" '
                         f'y="{top + HEIGHT - size:.1f}" width="1.5" height="{size:.1f}"/>')
    return parts

"""Reports of `explain` as SVG: kernels, products and library calls as boxes, arrays as arrows between them.

Layers go down: each box stands below everything that it reads from. An arrow that passes a layer has a place of its
own there, so that it never crosses a box. Within a layer the order is that of the neighbours' means (a few sweeps).
"""
import textwrap
from html import escape

from .reports import _bytes, _shape, _time

_MOST = 60                                        # boxes that are drawn; the table has all
_FONT, _CHAR, _LINE = 12, 7.3, 16                 # pixels: size, width of a character, height of a line
_WRAP = 34                                        # characters of a line in a box
_GAP_X, _GAP_Y, _MARGIN = 26, 54, 16
_REDUCTIONS = {'sum', 'prod', 'max', 'min', 'all', 'any', 'argmax', 'argmin'}
_STYLE = (f'text{{font:{_FONT}px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1b2733}}'
          '.title{font-weight:bold}.note{fill:#5b6875}.small{font-size:10px}'
          '.kernel{fill:#eef4fb;stroke:#3b6ea5;stroke-width:1.5}'
          '.product{fill:#eef7f0;stroke:#3f8a5a;stroke-width:1.5}'
          '.library{fill:#f3f1ec;stroke:#8a7f6a;stroke-width:1.5}.array{fill:#fff;stroke:#a9b4bf}'
          '.result{fill:#eaf6ec;stroke:#5d9b69}.stage{fill:#fff;stroke:#c9d7e6}.reduction{fill:#fdf0dc;stroke:#e0bd83}'
          '.edge{fill:none;stroke:#7a8794;stroke-width:1.3}.label{fill:#fff;opacity:.9}')


class _Box:
    """Something with a place: kind 'kernel', 'product', 'library', 'array', 'result', 'bend' (an arrow passes by)."""

    def __init__(self, kind, layer=0, work=None, lines=()):
        self.kind, self.layer, self.work, self.lines = kind, layer, work, list(lines)
        self.x = self.y = 0.0
        self.above, self.below = [], []
        if work is not None:
            self._measure_work(work)
        elif kind == 'bend':
            self.width = self.height = 8
        else:
            self.width = max(map(len, self.lines)) * _CHAR + 20
            self.height = len(self.lines) * _LINE + 8

    def _measure_work(self, work):
        self.stages = [(_kind(text), textwrap.wrap(text, _WRAP)) for text in work.text.split(' → ')]
        self.title = f'{work.kind} {work.number} · {_shape(work.shape)}'
        self.note = f'limit {_time(work.estimated_ns)}'
        if work.measured_ns is not None:
            self.note += f' · took {_time(work.measured_ns)}'
        widest = max([len(self.title), len(self.note), *[len(line) + 2 for _, lines in self.stages for line in lines]])
        self.width = widest * _CHAR + 24
        self.height = 2 * _LINE + 14 + sum([len(lines) * _LINE + 8 for _, lines in self.stages])


def _kind(text):
    names = [word for word in text.replace(',', '').split() if not word.isdigit()]
    return 'reduction' if all(name in _REDUCTIONS for name in names) else 'stage'


def svg(report):
    """The drawing of a report, as text."""
    if not report.launches:
        return _document(240, 44, ['<text x="16" y="27">nothing to run</text>'])
    boxes, edges = _graph(report)
    layers = _layers(boxes)
    _order(layers)
    _place(layers)
    width = max(box.x + box.width / 2 for box in boxes) + _MARGIN
    height = max(box.y + box.height for box in boxes) + _MARGIN
    body = [_edge(*edge) for edge in edges]
    body += [_drawn(box) for box in boxes if box.kind != 'bend']
    taken = []
    body += [_label(*edge, taken) for edge in edges if edge[1]]
    hidden = len(report.launches) - _MOST
    if hidden > 0:
        body.append(_text(f'and {hidden} more steps: see the table', _MARGIN, height + 8, 'note'))
        height += 24
    return _document(width, height, body)


def _document(width, height, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}"><style>{_STYLE}</style>'
            '<defs><marker id="lazy-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0L8 4L0 8z" fill="#7a8794"/></marker></defs>'
            f'<rect width="100%" height="100%" rx="6" fill="#fff"/>{"".join(body)}</svg>')


# --- the graph ------------------------------------------------------------------------------------------------------

def _graph(report):
    """(boxes, arrows): boxes have layers; an arrow is (boxes that it goes through, text)."""
    works = [_Box(work.kind, 0, work) for work in report.launches[:_MOST]]
    for before, after, *_ in report.edges:
        if before is not None and after is not None and after < _MOST:
            works[after].layer = max(works[after].layer, works[before].layer + 1)
    boxes, links, arrays = list(works), {}, {}
    for before, after, value, shape, dtype, nbytes in report.edges:
        if max(before or 0, after or 0) >= _MOST:
            continue
        lines = [f'{dtype} {_shape(shape)}', _bytes(nbytes)]
        if before is None:
            if value not in arrays:
                arrays[value] = _Box('array', works[after].layer - 1, lines=lines)
                boxes.append(arrays[value])
            source, target, text = arrays[value], works[after], ''
            source.layer = min(source.layer, target.layer - 1)
        elif after is None:
            source, target, text = works[before], _Box('result', works[before].layer + 1, lines=lines), ''
            boxes.append(target)
        else:
            source, target, text = works[before], works[after], ' '.join(lines)
        links.setdefault((source, target), []).append(text)
    top = min(box.layer for box in boxes)
    for box in boxes:
        box.layer -= top
    edges = []
    for (source, target), texts in links.items():
        path = [source]
        for layer in range(source.layer + 1, target.layer):
            path.append(_Box('bend', layer))
        boxes += path[1:]
        path.append(target)
        for a, b in zip(path, path[1:]):
            a.below.append(b)
            b.above.append(a)
        edges.append((path, [text for text in texts if text]))
    return boxes, edges


def _layers(boxes):
    layers = [[] for _ in range(max(box.layer for box in boxes) + 1)]
    for box in boxes:
        layers[box.layer].append(box)
    return layers


def _order(layers):
    """Each layer in the order of the mean place of its neighbours, downwards and upwards in turn."""
    for sweep in range(6):
        down = sweep % 2 == 0
        for layer in layers if down else layers[::-1]:
            for k, box in enumerate(layer):
                box.rank = k
        for layer in layers if down else layers[::-1]:
            def key(box):
                near = box.above if down else box.below
                return sum(b.rank for b in near) / len(near) if near else box.rank
            layer.sort(key=key)
            for k, box in enumerate(layer):
                box.rank = k


def _place(layers):
    """x: centres, drawn towards the neighbours' without overlaps; y: tops."""
    for layer in layers:
        at = 0.0
        for box in layer:
            box.x = at + box.width / 2
            at += box.width + _GAP_X
        for box in layer:
            box.x -= (at - _GAP_X) / 2
    for sweep in range(12):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            _settle(layer, [_wish(box, box.above if sweep % 2 == 0 else box.below) for box in layer])
    left = min(box.x - box.width / 2 for layer in layers for box in layer)
    y = float(_MARGIN)
    for layer in layers:
        height = max(box.height for box in layer)
        for box in layer:
            box.x += _MARGIN - left
            if box.kind == 'bend':
                box.height = height
            box.y = y + (height - box.height) / 2
        y += height + _GAP_Y


def _wish(box, near):
    return sum(b.x for b in near) / len(near) if near else box.x


def _settle(layer, wishes):
    """Boxes as near to where they wish to be as their order lets them: groups that touch move together."""
    groups = []                                   # (boxes, wish of the group's first centre, weight)
    for box, wish in zip(layer, wishes):
        group = [[box], wish, 1]
        groups.append(group)
        while len(groups) > 1:
            (before, start, weight), (after, second, count) = groups[-2:]
            width = _span(before) + (before[-1].width + after[0].width) / 2 + _GAP_X
            if start + width <= second:
                break
            merged = (start * weight + (second - width) * count) / (weight + count)
            groups[-2:] = [[before + after, merged, weight + count]]
    for boxes, start, _ in groups:
        at = start
        for k, box in enumerate(boxes):
            if k:
                at += (boxes[k - 1].width + box.width) / 2 + _GAP_X
            box.x = at


def _span(boxes):
    """From the first centre to the last."""
    return sum((a.width + b.width) / 2 + _GAP_X for a, b in zip(boxes, boxes[1:]))


# --- drawing --------------------------------------------------------------------------------------------------------

def _port(box, other, side):
    """Where an arrow from or to `other` meets a box: arrows share its edge out in the order of where they come from."""
    near = sorted(dict.fromkeys(box.below if side == 'below' else box.above), key=lambda b: b.x)
    k = near.index(other)
    share = min(box.width - 20, 60 * (len(near) - 1))
    x = box.x + (share * (k / (len(near) - 1) - 0.5) if len(near) > 1 else 0)
    return x, box.y + box.height if side == 'below' else box.y


def _points(path):
    points = []
    for a, b in zip(path, path[1:]):
        points.append((_port(a, b, 'below'), _port(b, a, 'above')))
    return points


def _edge(path, texts):
    text = []
    for k, ((x0, y0), (x1, y1)) in enumerate(_points(path)):
        bend = (y1 - y0) / 2
        text.append(f'{"L" if k else "M"}{x0:.1f} {y0:.1f}'
                    f'C{x0:.1f} {y0 + bend:.1f} {x1:.1f} {y1 - bend:.1f} {x1:.1f} {y1:.1f}')
    return f'<path class="edge" marker-end="url(#lazy-arrow)" d="{"".join(text)}"/>'


def _label(path, texts, taken):
    """Shape and bytes, on the last piece of the arrow; lower or higher where another label is."""
    (x0, y0), (x1, y1) = _points(path)[-1]
    x, y = x1 - (x1 - x0) * 0.35, y0 + (y1 - y0) * 0.55
    width = max(map(len, texts)) * _CHAR * 0.85 + 6
    height = 13 * len(texts)
    top = next((y - height / 2 + shift for shift in (0, -14, 14) if not any(
        abs(x - other_x) < (width + other_width) / 2 and abs(y + shift - other_y) < 13
        for other_x, other_y, other_width in taken)), y - height / 2)
    taken.append((x, top + height / 2, width))
    rows = ''.join(_text(text, x, top + 10 + 13 * k, 'note small', True) for k, text in enumerate(texts))
    return (f'<rect class="label" x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height}" '
            f'rx="3"/>{rows}')


def _drawn(box):
    x, y = box.x - box.width / 2, box.y
    parts = [f'<rect class="{box.kind}" x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
             f'rx="{6 if box.work is not None else box.height / 2:.0f}"/>']
    if box.work is None:
        parts += [_text(line, box.x, y + _LINE * (k + 1) - 1, 'note' if k else '', True)
                  for k, line in enumerate(box.lines)]
        return ''.join(parts)
    if box.work.reason or box.work.lines:
        parts.insert(0, '<g>')
        parts.append(f'<title>{escape("; ".join([box.work.reason, *box.work.lines]).strip("; "))}</title>')
    y += _LINE + 2
    parts.append(_text(box.title, x + 10, y, 'title'))
    y += 6
    for kind, lines in box.stages:
        height = len(lines) * _LINE + 4
        parts.append(f'<rect class="{kind}" x="{x + 8:.1f}" y="{y:.1f}" width="{box.width - 16:.1f}" '
                     f'height="{height}" rx="4"/>')
        parts += [_text(line, x + 14, y + _LINE * (k + 1) - 2) for k, line in enumerate(lines)]
        y += height + 4
    parts.append(_text(box.note, x + 10, y + _LINE - 4, 'note'))
    return ''.join(parts) + ('</g>' if parts[0] == '<g>' else '')


def _text(text, x, y, kind='', middle=False):
    attributes = (f' class="{kind}"' if kind else '') + (' text-anchor="middle"' if middle else '')
    return f'<text{attributes} x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'

"""Documents as a web page: spans underlined in the colour of their label, nested and crossing ones in rows."""

from __future__ import annotations

import html
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence

from foretell.spans.document import Document, Span

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#8f6a00",
    "#56b4e9",
    "#b0171f",
    "#6a3d9a",
    "#33691e",
    "#555555",
)
_ROW = 5
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/2.6 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
body {{ color: #111; background: #fff }}
h2 {{ font-size: 14px; line-height: 1.4; color: #666; border-top: 1px solid #ddd; padding-top: 1em }}
pre {{ font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 }}
.tag {{ font-size: 10px; font-weight: 600; color: #fff; border-radius: 3px; padding: 1px 4px; margin-right: 3px }}
.tag {{ user-select: none }}
.legend {{ line-height: 2 }}
</style></head><body>
"""


def page(documents: Iterable[tuple[Document, Sequence[Span]]], labels: Sequence[str], title: str) -> Iterator[str]:
    """Parts of a page, which needs no other file and no script.

    Parameters
    ----------
    documents : iterable of (Document, spans)
        Taken one at a time.
    labels : sequence of str
        Decide the colours.
    title : str
        Of the page.
    """
    colours = {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(labels)}
    yield _HEAD.format(title=html.escape(title))
    yield '<p class="legend">' + " ".join(_tag(label, colour) for label, colour in colours.items()) + "</p>\n"
    for document, spans in documents:
        if document.id:
            yield f"<h2>{html.escape(document.id)}</h2>\n"
        yield f"<pre>{marked(document.text, spans, colours)}</pre>\n"
    yield "</body></html>\n"


def marked(text: str, spans: Sequence[Span], colours: dict[str, str]) -> str:
    """Text with its spans underlined; spans that share characters lie in different rows, outer ones lower.

    Examples
    --------
    >>> marked("Ada & co", [Span(0, 3, "person", 0.98, "Ada")], {"person": "blue"}).endswith("Ada</span> &amp; co")
    True
    """
    ordered = sorted(spans, key=lambda span: (span.end - span.start, span.start, span.label))
    rows = _rows(ordered)
    cuts = sorted({0, len(text), *(s.start for s in ordered), *(s.end for s in ordered)})
    starting: dict[int, list[Span]] = {}
    ending: dict[int, list[Span]] = {}
    for span in ordered:
        starting.setdefault(span.start, []).append(span)
        ending.setdefault(span.end, []).append(span)
    active: list[Span] = []
    parts = []
    for begin, end in zip(cuts, [*cuts[1:], len(text)], strict=True):
        active = [span for span in active if span not in ending.get(begin, [])] + starting.get(begin, [])
        if begin < end:
            parts.append(_segment(text[begin:end], active, starting.get(begin, []), rows, colours))
    return "".join(parts)


def _rows(spans: Sequence[Span]) -> dict[tuple[int, int, str], int]:
    """Row of each span, from 0 just below the text: the first one that no shorter span in its way has."""
    rows: dict[tuple[int, int, str], int] = {}
    placed: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.end - span.start, span.start, span.label)):
        # Those placed so far are no longer than this one, which bounds where those in its way begin.
        low = bisect_left(placed, 2 * span.start - span.end, key=lambda other: other.start)
        high = bisect_left(placed, span.end, key=lambda other: other.start)
        taken = {rows[other.key] for other in placed[low:high] if other.overlaps(span)}
        rows[span.key] = next(number for number in range(len(taken) + 1) if number not in taken)
        insort(placed, span, key=lambda other: other.start)
    return rows


def _segment(
    text: str,
    active: Sequence[Span],
    starting: Sequence[Span],
    rows: dict[tuple[int, int, str], int],
    colours: dict[str, str],
) -> str:
    if not active:
        return html.escape(text)
    top = max(rows[span.key] for span in active)
    by_row = {rows[span.key]: span for span in active}
    shadows, offset = [], 0
    for row in range(top + 1):
        # A shadow shows only where no earlier one lies over it, so white ones part the lines.
        offset += 3
        shadows.append(f"0 {offset}px 0 {colours.get(by_row[row].label, '#555') if row in by_row else '#fff'}")
        if row < top:
            offset += _ROW - 3
            shadows.append(f"0 {offset}px 0 #fff")
    titles = "; ".join(f"{span.label} {span.score:.2f}: {span.text}" for span in active)
    tags = "".join(_tag(span.label, colours.get(span.label, "#555")) for span in reversed(starting))
    style = ",".join(shadows)
    return f'{tags}<span style="box-shadow:{style}" title="{html.escape(titles)}">{html.escape(text)}</span>'


def _tag(label: str, colour: str) -> str:
    return f'<span class="tag" style="background:{colour}">{html.escape(label)}</span>'

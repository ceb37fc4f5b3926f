"""Corpora for the benchmarks of spans, each as training, development and test documents with label descriptions.

The files lie under ``FORETELL_DATA/ner`` (default ``../shared/data``), with their licences and counts; nothing of them
is part of this repository. Documents are sentences. What a corpus does not split officially is split here, by whole
documents, and said so.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from spans_labels import LABELS

from foretell.spans import Document, LostSpan, Span, read_documents
from foretell.spans.readers import keep_outermost

ROOT = Path(os.environ.get("FORETELL_DATA", Path(__file__).parents[2] / "shared" / "data")) / "ner"
_ENTITY = re.compile(r"\((\d+)(\[[^\]]*\])?-([a-z]+)[^()]*(\))?|(\d+)(?:\[[^\]]*\])?\)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\[])|\n+")
_DOMAINS = ("ai", "literature", "music", "politics", "science")


@dataclass(frozen=True)
class Corpus:
    """Documents, descriptions, and whether spans nest, or never overlap whatever their labels."""

    name: str
    train: list[Document]
    dev: list[Document]
    test: list[Document]
    labels: dict[str, str]
    nested: bool
    flat: bool = False


def load(name: str) -> Corpus:
    """Read a corpus by name; see ``NAMES``."""
    if not ROOT.is_dir():
        sys.exit(f"no corpora in {ROOT}; name their folder in FORETELL_DATA")
    key = "crossner" if name.startswith("crossner-") else name
    train, dev, test, nested = _READERS[key](name)
    if not nested:
        train, dev, test = ([keep_outermost(document) for document in part] for part in (train, dev, test))
    used = {span.label for part in (train, dev, test) for document in part for span in document.spans}
    descriptions = {label: text for label, text in LABELS[key].items() if label in used}
    missing = used - set(descriptions)
    if missing:
        sys.exit(f"{name}: no description of {', '.join(sorted(missing))}")
    return Corpus(name, train, dev, test, descriptions, nested, key in ("wnut17", "crossner"))


Parts = tuple[list[Document], list[Document], list[Document], bool]


def _wnut(name: str) -> Parts:
    folder = ROOT / "wnut17"
    files = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    train, dev, test = (read_documents(folder / file, "conll") for file in files)
    return train, dev, test, False


def _crossner(name: str) -> Parts:
    folder = ROOT / "crossner" / "ner_data" / name.removeprefix("crossner-")
    train, dev, test = (read_documents(folder / f"{part}.txt", "conll") for part in ("train", "dev", "test"))
    return train, dev, test, False


def _litbank(name: str) -> Parts:
    """Split by book: of the files in alphabetical order, each ninth of ten is development, each tenth test."""
    parts: list[list[Document]] = [[], [], []]
    for number, path in enumerate(sorted((ROOT / "litbank" / "entities" / "tsv").glob("*.tsv"))):
        parts[max(number % 10 - 7, 0)] += read_documents(path, "conll")
    return parts[0], parts[1], parts[2], True


def gum_documents(genres: Iterable[str] | None = None) -> dict[str, list[Document]]:
    """Sentences of GUM's documents of some genres, by document."""
    wanted = set(genres) if genres else None
    documents = {}
    for path in sorted((ROOT / "gum" / "dep").glob("*.conllu")):
        if wanted is None or path.stem.split("_")[1] in wanted:
            documents[path.stem] = _conllu(path)
    return documents


def gum_split() -> dict[str, str]:
    """Official part of each GUM document."""
    part, split = "", {}
    for line in (ROOT / "gum" / "splits.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            part = line[3:].strip()
        elif line.strip().startswith("* "):
            split[line.strip()[2:]] = part
    return split


def _gum(name: str) -> Parts:
    split, parts = gum_split(), {"train": [], "dev": [], "test": []}  # type: ignore[var-annotated]
    for document, sentences in gum_documents().items():
        parts[split[document]] += sentences
    return parts["train"], parts["dev"], parts["test"], True


def _conllu(path: Path) -> list[Document]:
    sentences = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        lines = block.strip().splitlines()
        text = next((line[9:] for line in lines if line.startswith("# text = ")), None)
        if text is not None:
            name = next(line[12:] for line in lines if line.startswith("# sent_id = "))
            sentences.append(_conllu_sentence(text, [line.split("\t") for line in lines if line[0].isdigit()], name))
    return sentences


def _conllu_sentence(text: str, rows: list[list[str]], name: str) -> Document:
    """Spans from the brackets of ``Entity=`` in the last column; those in several parts become lost."""
    position, opened = 0, {}  # type: ignore[var-annotated]
    spans, lost = [], []
    for row in rows:
        if not row[0].isdigit():
            continue
        found = text.find(row[1], position)
        start = found if found >= 0 else position
        end = start + len(row[1]) if found >= 0 else position
        position = end
        entity = next((item[7:] for item in row[9].split("|") if item.startswith("Entity=")), "")
        for match in _ENTITY.finditer(entity):
            number, part, label, closed, closing = match.groups()
            if number:
                opened.setdefault(number, []).append((start, label, part))
            key = number if closed else closing
            if key and opened.get(key):
                begin, label, part = opened[key].pop()
                if not part:
                    spans.append(Span(begin, end, label))
                elif part.startswith("[1/"):
                    lost.append(LostSpan(label, "discontinuous"))
    unique = tuple(sorted({span for span in spans if span.end > span.start}))
    return Document(text, unique, name, tuple(lost))


def _genia(name: str) -> Parts:
    """Official dev and test; training from the event corpus without the documents that those hold.

    The published training file is not at hand. Terms of the event corpus are mapped to the five types by the names of
    their classes.
    """
    folder = ROOT / "genia_nested_devtest" / "preprocess" / "outputs" / "genia"
    dev, test = (_genia_lines(folder / f"{part}.jsonlines") for part in ("dev", "test"))
    held = {squeeze(document.text) for document in dev + test}
    train = []
    for sentences in _genia_abstracts():
        terms = [document for document, _ in sentences]
        if not any(len(squeeze(document.text)) > 40 and squeeze(document.text) in held for document in terms):
            train += terms
    return train, dev, test, True


def squeeze(text: str) -> str:
    """Text without what preparations of the same sentence differ in."""
    return "".join(text.split()).casefold()


def _genia_lines(path: Path) -> list[Document]:
    documents = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        tokens = record["tokens"]
        starts = [sum(len(token) + 1 for token in tokens[:i]) for i in range(len(tokens))]
        spans = {
            Span(starts[item["start"]], starts[item["end"] - 1] + len(tokens[item["end"] - 1]), item["entity_type"])
            for item in record["entity_mentions"]
        }
        documents.append(Document(" ".join(tokens), tuple(sorted(spans)), record["sent_id"]))
    return documents


def _genia_abstracts() -> list[list[tuple[Document, Document]]]:
    """Each abstract's sentences, once with terms of the five types and once with event triggers."""
    abstracts = []
    for path in sorted((ROOT / "genia_event" / "original-data" / "GENIAcorpus_event").glob("*.xml")):
        sentences: list[tuple[Document, list[Span], list[LostSpan]]] = []
        for element in ElementTree.parse(path).iter():
            if element.tag == "sentence":
                terms: list[Span] = []
                text = _flatten(element, 0, terms)
                name = f"{path.stem}-{element.get('id')}"
                sentences.append((Document(text, tuple(sorted(set(terms))), name), [], []))
            elif element.tag == "event" and sentences:
                _trigger(element, sentences[-1])
        abstracts.append(
            [
                (terms, Document(terms.text, tuple(sorted(set(found))), terms.id, tuple(set(lost))))
                for terms, found, lost in sentences
            ]
        )
    return abstracts


def _flatten(element: ElementTree.Element, begin: int, terms: list[Span]) -> str:
    """Text of an element; its terms of the five types are added with their offsets."""
    text = element.text or ""
    for child in element:
        inner = _flatten(child, begin + len(text), terms)
        label = _genia_type(child.get("sem", "")) if child.tag == "term" else None
        if label and inner:
            terms.append(Span(begin + len(text), begin + len(text) + len(inner), label))
        text += inner + (child.tail or "")
    return text


def _genia_type(sem: str) -> str | None:
    for prefix, label in (("Protein_", "protein"), ("DNA_", "DNA"), ("RNA_", "RNA")):
        if sem.startswith(prefix):
            return label
    return {"Cell_natural": "cell_type", "Cell_cultured": "cell_line"}.get(sem)


def _trigger(event: ElementTree.Element, sentence: tuple[Document, list[Span], list[LostSpan]]) -> None:
    kind, clue = event.find("type"), event.find("clue")
    if kind is None or clue is None or not kind.get("class"):
        return
    position, places = len(clue.text or ""), []
    for child in clue:
        inner = "".join(child.itertext())
        if child.tag == "clueType" and inner:
            places.append((position, position + len(inner)))
        position += len(inner) + len(child.tail or "")
    label = kind.get("class", "")
    if len(places) == 1:
        sentence[1].append(Span(*places[0], label))
    elif places:
        sentence[2].append(LostSpan(label, f"discontinuous: {places}"))


def _genia_events(name: str) -> Parts:
    """Split by abstract: of the files in alphabetical order, each ninth of ten is development, each tenth test."""
    parts: list[list[Document]] = [[], [], []]
    for number, sentences in enumerate(_genia_abstracts()):
        parts[max(number % 10 - 7, 0)] += [events for _, events in sentences]
    return parts[0], parts[1], parts[2], False


def _cancer(name: str) -> Parts:
    """The official development part is the test; every tenth training document is development."""
    folder = ROOT / "bionlp13cg" / "original-data"
    train, dev = [], []
    for number, path in enumerate(sorted((folder / "train").glob("*.txt"))):
        (dev if number % 10 == 9 else train).extend(_cancer_sentences(path))
    test = [sentence for path in sorted((folder / "devel").glob("*.txt")) for sentence in _cancer_sentences(path)]
    return train, dev, test, False


def _cancer_sentences(path: Path) -> list[Document]:
    """Sentences of an abstract with the triggers of its events."""
    text = path.read_text(encoding="utf-8")
    lines = path.with_suffix(".a2").read_text(encoding="utf-8").splitlines()
    used = {line.split("\t")[1].split()[0].split(":")[1] for line in lines if line.startswith("E")}
    bound = [line.split("\t")[:2] for line in lines if line.startswith("T")]
    triggers = [(info.split()[0], info.split(" ", 1)[1]) for name, info in bound if name in used]
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    documents = []
    for begin, end in pairwise(cuts):
        body = text[begin:end].rstrip()
        spans, lost = set(), []
        for label, place in triggers:
            start, stop = int(place.split()[0]), int(place.split()[-1])
            if not begin <= start < end:
                continue
            if ";" in place or stop > begin + len(body):
                lost.append(LostSpan(label, f"discontinuous: {place}"))
            else:
                spans.add(Span(start - begin, stop - begin, label))
        if body:
            documents.append(Document(body, tuple(sorted(spans)), f"{path.stem}-{begin}", tuple(lost)))
    return documents


_READERS: dict[str, Callable[[str], Parts]] = {
    "wnut17": _wnut,
    "crossner": _crossner,
    "gum": _gum,
    "litbank": _litbank,
    "genia": _genia,
    "cg-events": _cancer,
    "genia-events": _genia_events,
}
NAMES = (
    "wnut17",
    *(f"crossner-{domain}" for domain in _DOMAINS),
    "gum",
    "litbank",
    "genia",
    "cg-events",
    "genia-events",
)

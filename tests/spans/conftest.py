"""A tiny encoder of random weights, and documents that it can learn by heart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from foretell.spans import Document, Settings, Span, SpanExtractor  # noqa: E402
from foretell.spans.training import Training  # noqa: E402

LABELS = {"person": "a human being with a name", "place": "a city or country"}
PEOPLE = ("Ada", "Alan", "Grace Hopper", "Kurt")
PLACES = ("London", "Vienna", "New York", "Brno")
FAST = Training(epochs=30, batch_size=8, learning_rate=2e-3, head_factor=3.0, word_vectors=True, label_gradient=True)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Threads of several test runs on one machine only wait for each other."""
    torch.set_num_threads(1)


def build_encoder(folder: Path, *, lowercase: bool = True) -> Path:
    """Write a BERT of two layers with a word-piece vocabulary of characters and a few words."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    letters = [chr(c) for c in range(33, 127) if lowercase is False or not chr(c).isupper()]
    words = ["ada", "alan", "grace", "kurt", "london", "vienna", "new", "york", "in", "lived", "from", "human", "city"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *words]
    numbers = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    ends = [("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=160,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    return build_encoder(tmp_path_factory.mktemp("encoder"))


def sentence(person: str, place: str) -> Document:
    text = f"{person} lived in {place}."
    begin = text.index(place, len(person))
    return Document(
        text, (Span(0, len(person), "person"), Span(begin, begin + len(place), "place")), f"{person}-{place}"
    )


def flat_documents() -> list[Document]:
    return [sentence(person, place) for person in PEOPLE for place in PLACES]


def nested_documents() -> list[Document]:
    """People whose description holds a place: ``Ada from London`` is a person, ``London`` a place."""
    documents = []
    for person in PEOPLE:
        for place in PLACES:
            text = f"{person} from {place} lived in {place}."
            inner, last = text.index(place), text.rindex(place)
            spans = (
                Span(0, inner + len(place), "person"),
                Span(0, len(person), "person"),
                Span(inner, inner + len(place), "place"),
                Span(last, last + len(place), "place"),
            )
            documents.append(Document(text, spans, text[:20]))
    return documents


def fitted(encoder: Path, *, nested: bool = False, training: Training = FAST, **settings: object) -> SpanExtractor:
    extractor = SpanExtractor(
        encoder,
        settings=Settings(nested=nested, dropout=0.0, **settings),
        training=training,
        device="cpu",
        precision="float32",
    )
    return extractor.fit(nested_documents() if nested else flat_documents(), LABELS)


@pytest.fixture(scope="session")
def flat_extractor(encoder) -> SpanExtractor:
    return fitted(encoder)


@pytest.fixture(scope="session")
def nested_extractor(encoder) -> SpanExtractor:
    return fitted(encoder, nested=True, training=replace(FAST, epochs=80))


@pytest.fixture(scope="session")
def shared_extractor(encoder) -> SpanExtractor:
    return fitted(encoder, heads="shared")


@pytest.fixture
def gold_file(tmp_path) -> Path:
    path = tmp_path / "gold.jsonl"
    lines = [
        json.dumps({"id": d.id, "text": d.text, "spans": [s.as_dict() | {"text": ""} for s in d.spans]})
        for d in flat_documents()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path

"""The text codec on small models: any bytes come back, on any kernel, and damage does no harm."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.portable import SMALL, codec_for, head_of
from models.tiny import tiny

from foretell.codecs import text
from foretell.codecs.lanes import Plan, sections_of, shape_of
from foretell.codecs.text import TextCodec
from foretell.drafts.speculation import Speculation
from foretell.errors import CorruptArchiveError
from foretell.exact.kernels import float_product
from foretell.exact.reference import ReferenceDecoder
from foretell.exact.samples import WORDS, integers
from foretell.exact.threads import set_thread_count

SHORT = Plan(lanes=3, lane_tokens=16, prefix=16, frame_bytes=1 << 16)
few = settings(max_examples=25, deadline=None)
PIECES = [
    *(word.encode() for word in WORDS),
    b"<|endoftext|>", b"<|im_start|>", b"<0x0A>", b"\xe2\x96\x81", b"\r\n", b"\r", b"\0", b"\xff\xfe", b"\xed\xa0\x80",
    b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", "e\u0301\u200b\u2028".encode(), "\U0001f600".encode(),
]  # fmt: skip
arbitrary = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
    st.text(max_size=150).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    set_thread_count(0)


def prose(words: int, seed: int = 1) -> bytes:
    """Words at random."""
    return "".join(WORDS[i] for i in integers(seed, 0, len(WORDS) - 1, (words,))).encode()


def round_trip(codec: TextCodec, frame: bytes) -> bytes:
    payload = codec.encode_frames([frame])[0]
    assert codec.decode_frames([(payload, len(frame))]) == [frame]
    return payload


@pytest.mark.parametrize("kind", ["llama", "gemma"])
@few
@given(arbitrary)
def test_any_bytes_come_back(kind: str, frame: bytes) -> None:
    round_trip(codec_for(tiny(kind)), frame)


@pytest.mark.parametrize("frame", [b"", b"\0", b"<|endoftext|>", b"\xed\xa0\x80", b"\r\n" * 9, bytes(range(256)) * 2])
def test_special_cases_come_back(frame: bytes) -> None:
    round_trip(codec_for(tiny("llama")), frame)


@pytest.mark.parametrize("kind", ["llama", "gemma"])
@pytest.mark.parametrize("words", [5, 16, 17, 80, 330, 900])
def test_lanes_and_sections_come_back(kind: str, words: int) -> None:
    codec, frame = codec_for(tiny(kind)), prose(words)
    tokens = codec.model.vocabulary.encode(frame)
    sections = list(sections_of(tokens.size, shape_of(tokens.size, SMALL)))
    assert (len(sections) > 2) == (words > 300)
    round_trip(codec, frame)


def test_threads_do_not_change_a_payload() -> None:
    codec, frame, payloads = codec_for(tiny("gemma")), prose(300), []
    for threads in (1, 2, 3):
        set_thread_count(threads)
        payloads.append(codec.encode_frames([frame])[0])
    assert len(set(payloads)) == 1
    for threads in (1, 2, 3):
        set_thread_count(threads)
        assert codec.decode_frames([(payloads[0], len(frame))]) == [frame]


def test_frames_do_not_depend_on_each_other() -> None:
    codec, frames = codec_for(tiny("llama")), [prose(60, 1), prose(60, 2), b""]
    assert codec.encode_frames(frames) == [codec.encode_frames([frame])[0] for frame in frames]


def test_repetitive_text_shrinks() -> None:
    frame = prose(20) * 20
    assert len(codec_for(tiny("llama")).encode_frames([frame])[0]) < len(frame) // 6


DECODERS = [("llama", "reference"), ("gemma", "reference"), ("gemma", "blas")]
if importlib.util.find_spec("torch"):
    DECODERS += [("llama", "torch-fp32"), ("gemma", "torch-int8")]


def decoder_of(kind: str, name: str) -> object:
    model = tiny(kind)
    if name.startswith("torch"):
        import torch

        from foretell.exact.torch_decoder import TorchDecoder

        torch.set_num_threads(1)  # small products; threads would only wait for each other
        return TorchDecoder(model, "cpu", "int8" if name.endswith("int8") else "fp32")
    return ReferenceDecoder(model) if name == "reference" else ReferenceDecoder(model, float_product)


@pytest.mark.parametrize(("kind", "name"), DECODERS)
def test_other_kernels_read_and_write_the_same_payloads(kind: str, name: str) -> None:
    frame, codec = prose(40) + b"\xff\0<|endoftext|>", codec_for(tiny(kind))
    codec.plan = SHORT
    payload = codec.encode_frames([frame])[0]
    set_thread_count(1)
    decoder = decoder_of(kind, name)
    with head_of(decoder):
        other = codec_for(decoder)
        other.plan = SHORT
        assert other.decode_frames([(payload, len(frame))]) == [frame]
        assert other.encode_frames([frame])[0] == payload


@pytest.mark.cuda
@pytest.mark.parametrize("kernel", ["int8", "fp32"])
def test_a_gpu_reads_what_the_processor_wrote(kernel: str) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from foretell.exact.torch_decoder import TorchDecoder

    frame = prose(300)
    payload = codec_for(tiny("gemma")).encode_frames([frame])[0]
    decoder = TorchDecoder(tiny("gemma"), "cuda", "int8" if kernel == "int8" else "fp32")
    with head_of(decoder):
        assert codec_for(decoder).decode_frames([(payload, len(frame))]) == [frame]


def harmless(codec: TextCodec, payload: bytes, size: int) -> bytes | None:
    """Decode what may be damaged: other bytes of the right size, or the one error that is allowed."""
    try:
        frame = codec.decode_frames([(payload, size)])[0]
    except CorruptArchiveError:
        return None
    assert len(frame) == size
    return frame


@few
@given(st.data())
def test_damaged_payloads_do_no_harm(data: st.DataObject) -> None:
    codec, frame = codec_for(tiny("llama")), prose(60)
    payload = bytearray(codec.encode_frames([frame])[0])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, min(len(payload) - 1, 12 if data.draw(st.booleans()) else 10_000)))
        payload[place] ^= data.draw(st.integers(1, 255))
    harmless(codec, bytes(payload), len(frame))
    harmless(codec, bytes(payload[: data.draw(st.integers(0, len(payload)))]), len(frame))


@few
@given(st.binary(max_size=60), st.integers(0, 400))
def test_noise_does_no_harm(payload: bytes, size: int) -> None:
    harmless(codec_for(tiny("llama")), payload, size)


def test_every_damaged_head_is_refused_or_harmless() -> None:
    codec, frame = codec_for(tiny("llama")), prose(40)
    payload = codec.encode_frames([frame])[0]
    for place in range(6):
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            harmless(codec, payload[:place] + bytes([value]) + payload[place + 1 :], len(frame))
    assert harmless(codec, payload, len(frame) + 1) is None


def test_a_model_with_other_weights_reads_something_else() -> None:
    from foretell.exact import samples

    frame = prose(100)
    payload = codec_for(tiny("llama")).encode_frames([frame])[0]
    other = samples.model(samples.llama_config(), seed=99)
    assert other.digest != tiny("llama").digest
    assert harmless(codec_for(other), payload, len(frame)) != frame
    assert np.array_equal(other.vocabulary.ids, tiny("llama").vocabulary.ids)


@pytest.mark.parametrize("draft", ["none", "lookup"])
def test_drafts_decode_the_same_in_fewer_passes(draft: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []

    def unhurried(target, drafter, slots, streams):  # type: ignore[no-untyped-def]
        rounds.append(Speculation(target, drafter, streams, slots))  # no clock decides on drafts
        return rounds[-1]

    monkeypatch.setattr(text, "new_speculation", unhurried)
    monkeypatch.setattr(text, "LEAST_DRAFTED", 0)
    model = tiny("llama")
    codec = text.TextCodec(model, draft=draft)
    codec.plan = Plan(lanes=1, lane_tokens=200, prefix=32, frame_bytes=1 << 16)
    frame = b"to be, or not to be: that is the question: " * 12
    payload = codec.encode_frames([frame])[0]
    assert codec.decode_frames([(payload, len(frame))]) == [frame]
    tokens, passes = sum(s.tokens for s in rounds), sum(s.rounds for s in rounds)
    assert tokens == model.vocabulary.encode(frame).size
    assert len(rounds) > 1
    assert passes == tokens if draft == "none" else passes < 0.6 * tokens


def test_short_frames_are_decoded_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = []
    new = text.new_speculation

    def watched(*arguments):  # type: ignore[no-untyped-def]
        streams.append(arguments[3])
        return new(*arguments)

    monkeypatch.setattr(text, "new_speculation", watched)
    monkeypatch.setattr(text, "LEAST_DRAFTED", 0)
    codec = text.TextCodec(tiny("llama"), draft="lookup")
    codec.plan = Plan(lanes=2, lane_tokens=60, prefix=32, frame_bytes=1 << 16)
    frames = [b"abcab" * n + bytes([65 + n]) for n in (3, 0, 9, 40, 5, 7, 1, 4, 6, 8, 2)] + [b"", b"a b " * 200]
    payloads = codec.encode_frames(frames)
    pairs = [(payload, len(frame)) for payload, frame in zip(payloads, frames, strict=True)]
    assert codec.decode_frames(pairs) == frames
    assert max(streams) == text.ABREAST
    with pytest.raises(CorruptArchiveError):
        codec.decode_frames([pairs[0], (pairs[2][0], 7), pairs[4]])

import numpy as np

from foretell.codecs.octets import MAX_LEVEL, MAX_TABLE_LEVEL, OctetsCodec, memory_needed
from foretell.codecs.parallel import MOST_MEMORY, ParallelCodec


class Recorder:
    """Codec whose frames say how much memory they take."""

    def __init__(self) -> None:
        self.running = self.most = 0

    def encode(self, data: bytes) -> bytes:
        return data

    def memory(self, payload: bytes, size: int) -> int:
        return size

    def decode(self, payload: bytes, size: int) -> bytes:
        return payload


def test_frames_keep_their_order_whatever_they_take():
    codec = ParallelCodec("recorder", 2, Recorder())
    sizes = [1, MOST_MEMORY, 2, 3, MOST_MEMORY // 2, MOST_MEMORY // 2, 2 * MOST_MEMORY]
    payloads = [(bytes([index]), size) for index, size in enumerate(sizes)]
    assert codec.decode_frames(payloads) == [payload for payload, _ in payloads]
    groups = [[size for _, size in group] for group in codec._groups(payloads)]
    assert [size for group in groups for size in group] == sizes
    assert all(len(group) == 1 or sum(group) <= MOST_MEMORY for group in groups)
    assert codec.decode_frames([]) == []


def test_no_octets_frame_takes_more_than_its_size_and_level_need():
    assert memory_needed(MAX_LEVEL, 1 << 22) == memory_needed(MAX_TABLE_LEVEL, 1 << 22)
    assert memory_needed(MAX_LEVEL, 1 << 22) < 320 << 20
    assert memory_needed(MAX_LEVEL, 100) < 24 << 20
    assert np.all(np.diff([memory_needed(level, 1 << 22) for level in range(1, 9)]) > 0)


def test_level_nine_is_written_as_eight():
    payload = OctetsCodec(9).encode(b"so much depends upon")
    assert payload == OctetsCodec(8).encode(b"so much depends upon")
    assert payload[0] & 15 == 8

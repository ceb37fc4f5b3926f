import io

import pytest

import foretell
from foretell.archive.check import check_archive
from foretell.archive.index import read_index
from foretell.errors import ArchiveError, CorruptArchiveError, MissingModelError

CHANGES = (0x01, 0x80, 0xFF)


def test_the_small_archive_is_sound(small_archive, original):
    assert foretell.decompress(small_archive) == original
    assert foretell.open(io.BytesIO(small_archive)).read() == original


@pytest.mark.parametrize("change", CHANGES)
def test_every_changed_byte_is_noticed(small_archive, change):
    for position in range(len(small_archive)):
        damaged = bytearray(small_archive)
        damaged[position] ^= change
        # A changed model digest comes with a check that no longer holds, so that this, too, is damage.
        with pytest.raises(ArchiveError):
            foretell.decompress(damaged)


def test_every_changed_byte_is_noticed_when_seeking(small_archive, original):
    for position in range(len(small_archive)):
        damaged = bytearray(small_archive)
        damaged[position] ^= 0x10
        with pytest.raises(ArchiveError):
            foretell.open(io.BytesIO(damaged)).read()


def test_every_truncation_is_noticed(small_archive):
    for size in range(len(small_archive)):
        with pytest.raises(CorruptArchiveError):
            foretell.decompress(small_archive[:size])
        with pytest.raises(CorruptArchiveError):
            foretell.open(io.BytesIO(small_archive[:size]))


@pytest.mark.parametrize("size", [1, 2, 4, 8, 30])
def test_every_truncation_of_a_joined_archive_is_noticed(small_archive, size):
    with pytest.raises(CorruptArchiveError):
        foretell.decompress(small_archive + small_archive[:size])


@pytest.mark.parametrize("garbage", [b"\0", b"\n", b"garbage", b"\xf5", bytes(512)])
def test_nothing_may_follow_or_come_before(small_archive, garbage):
    with pytest.raises(CorruptArchiveError):
        foretell.decompress(small_archive + garbage)
    with pytest.raises(CorruptArchiveError):
        foretell.decompress(garbage + small_archive)
    with pytest.raises(CorruptArchiveError):
        foretell.open(io.BytesIO(small_archive + garbage))
    with pytest.raises(CorruptArchiveError):
        foretell.open(io.BytesIO(garbage + small_archive))


def test_removed_and_swapped_frames_are_noticed(small_archive):
    first, second = read_index(io.BytesIO(small_archive)).entries[:2]
    start, middle, end = first.offset, second.offset, second.offset + second.head.record_size
    a, b = small_archive[start:middle], small_archive[middle:end]
    for changed in (b, a, b + a, a + b + b):
        with pytest.raises(CorruptArchiveError):
            foretell.decompress(small_archive[:start] + changed + small_archive[end:])


def test_frames_of_the_same_shape_that_are_swapped_are_noticed():
    data = [bytes([value]) * 9 + bytes(range(value)) for value in (20, 20)]
    archive = foretell.compress(data[0][::-1], codec="stored")
    other = foretell.compress(data[1], codec="stored")
    start, end = 8, len(archive) - 43
    with pytest.raises(CorruptArchiveError, match="not those that were packed"):
        foretell.decompress(archive[:start] + other[start:end] + archive[end:])


def test_check_lists_every_damaged_frame(small_archive):
    entries = read_index(io.BytesIO(small_archive)).entries
    damaged = bytearray(small_archive)
    for number in (0, 2):
        damaged[entries[number].offset + entries[number].head.head_size] ^= 1
    summary, damage = check_archive(io.BytesIO(damaged))
    assert [error.frame for error in damage] == [0, 2]
    assert summary.raw_bytes == sum(entry.head.size for entry in entries if entry.number not in (0, 2))


def test_check_goes_on_after_a_damaged_header(small_archive):
    entries = read_index(io.BytesIO(small_archive)).entries
    damaged = bytearray(small_archive)
    damaged[entries[1].offset + 4] ^= 1
    damaged[entries[4].offset + entries[4].head.head_size] ^= 1
    _, damage = check_archive(io.BytesIO(damaged))
    assert [error.frame for error in damage] == [1, 4]


def test_check_finds_nothing_in_a_sound_archive(small_archive):
    summary, damage = check_archive(io.BytesIO(small_archive * 2))
    assert damage == []
    assert summary.archive_bytes == 2 * len(small_archive)


def test_damage_names_the_frame(small_archive):
    entry = read_index(io.BytesIO(small_archive)).entries[3]
    damaged = bytearray(small_archive)
    damaged[entry.offset + entry.head.head_size + 3] ^= 1
    line = r"frame 3: 42 bytes of text are damaged \(error: .*\); the file"
    with pytest.raises(CorruptArchiveError, match=line):
        foretell.decompress(damaged)


def test_a_missing_model_is_no_damage(small_archive, monkeypatch):
    def load(digest):
        raise MissingModelError("model fake is not here", "run foretell models pull fake")

    monkeypatch.setattr("foretell.codecs.toolbox.load_model_by_digest", load)
    with pytest.raises(MissingModelError, match="models pull fake"):
        foretell.decompress(small_archive)
    with pytest.raises(MissingModelError):
        check_archive(io.BytesIO(small_archive))


def test_a_wrong_model_is_refused(small_archive, monkeypatch, fake_text):
    class Other(fake_text):
        digest = bytes(32)

    monkeypatch.setattr("foretell.codecs.toolbox.load_model_by_digest", lambda digest: Other())
    with pytest.raises(foretell.ModelError, match="has digest 000000000000, the archive needs"):
        foretell.decompress(small_archive)

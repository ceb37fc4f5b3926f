import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.codecs.lanes import MOST_FRAME_BYTES, Shape, plan_for, sections_of, shape_of
from foretell.codecs.select import SEGMENT_BYTES


@given(st.integers(0, 300_000), st.integers(2, 9), st.sampled_from([512, 2048, 8192]))
def test_sections_cover_all_tokens_once_and_their_shape_is_believed(tokens, level, context):
    plan = plan_for(level).within(context)
    shape = shape_of(tokens, plan)
    assert shape.fits(context)
    position = 0
    for section in sections_of(tokens, shape):
        assert len(section) <= max(1, shape.lanes)
        for begin, end in section:
            assert begin == position
            assert 0 < end - begin <= max(shape.length, shape.prefix)
            position = end
    assert position == tokens


@pytest.mark.parametrize(
    "shape",
    [
        Shape(0, 1, 0),
        Shape(0, 0, 100),
        Shape(0, 65, 100),
        Shape(8, 1, 100),
        Shape(0, 1, 8193),
        Shape(512, 1, 7681),
        Shape(0, 64, 1025),
    ],
)
def test_shapes_that_no_encoder_writes_are_refused(shape):
    assert not shape.fits(8192)


def test_no_level_has_frames_beyond_the_limit():
    assert all(plan_for(level).frame_bytes <= min(MOST_FRAME_BYTES, SEGMENT_BYTES) for level in range(2, 10))

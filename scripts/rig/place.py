"""Where things lie."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build"
RIG = BUILD / "rig"


def from_caller(path):
    """A path as typed by the caller: make runs in the repository, its user may stand elsewhere."""
    return Path(os.environ.get("HALFPAGE_CALLER", os.getcwd()), path).resolve()

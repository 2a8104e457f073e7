"""Named checks, run one after the other: a failed one is told and does not stop the next."""

import contextlib
import sys
import time
import traceback


class Failure(Exception):
    """A check that did not hold, in words."""


def require(condition, complaint):
    """Fails the check unless the condition holds."""
    if not condition:
        raise Failure(complaint)


class Checks:
    """The tally. `prefix` stands before each name."""

    def __init__(self, prefix=""):
        self.prefix = prefix
        self.passed = 0
        self.failed = []

    @contextlib.contextmanager
    def __call__(self, name):
        began = time.monotonic()
        try:
            yield
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.failed.append(name)
            told = str(error) if isinstance(error, Failure) else "".join(traceback.format_exception(error, limit=-2))
            print(f"FAIL {self.prefix}{name}: {told.rstrip()}", flush=True)
        else:
            self.passed += 1
            print(f"ok   {self.prefix}{name} ({time.monotonic() - began:.1f} s)", flush=True)

    def close(self, artefacts=None, console=None):
        """Prints the closing line, after a failure also where to look; ends the program."""
        if self.failed and console and console.exists():
            print(f"\nthe last lines of {console}:")
            print("\n".join(console.read_text(errors="replace").splitlines()[-50:]))
        if self.failed and artefacts:
            print(f"\nwhat it leaves (console, dom0.log, capture where there are any) is in {artefacts}")
        print(f"{self.passed} passed, {len(self.failed)} failed", flush=True)
        sys.exit(bool(self.failed) or not self.passed)

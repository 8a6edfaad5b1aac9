"""``python -m reloadlab``, and the command ``reloadlab`` of an installed package: the program, with Python candidates."""

import os
import sys
from typing import NoReturn


def main(called: str = "python -m reloadlab") -> int:
    """What the words of the command line ask for; the program's exit code."""
    words = sys.argv[1:]
    if words[:1] == ["describe"]:
        from . import describe

        if len(words) != 2:
            print("reloadlab describe: expected one candidate", file=sys.stderr)
            return 64
        return describe.main(words[1])
    from . import _reloadlab

    return _reloadlab.main(os.environ.get("RELOADLAB_CALLED", called), words, [sys.executable, "-m", "reloadlab"])


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # candidates may have threads


def run() -> NoReturn:
    """The command: candidates are looked for in the current folder, as with ``python -m``."""
    sys.path.insert(0, os.getcwd())
    _leave(main("reloadlab"))


if __name__ == "__main__":
    _leave(main())

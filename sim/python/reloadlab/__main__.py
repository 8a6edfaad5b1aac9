"""``python -m reloadlab``: the program, with Python candidates."""

import os
import sys


def main() -> int:
    words = sys.argv[1:]
    if words[:1] == ["describe"]:
        from . import describe

        if len(words) != 2:
            print("reloadlab describe: expected one candidate", file=sys.stderr)
            return 64
        return describe.main(words[1])
    from . import _reloadlab

    name = os.environ.get("RELOADLAB_CALLED", "python -m reloadlab")
    return _reloadlab.main(name, words, [sys.executable, "-m", "reloadlab"])


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # candidates may have threads

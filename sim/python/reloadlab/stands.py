"""Where Python stands, for a candidate that does not come back."""

import os
import sys
import threading
import traceback
from types import FrameType

_PACKAGE = os.path.dirname(__file__)
_CALLS = 4  # that are told of each thread


def where() -> str:
    """In one line: "Python is at mine.py:12 in load, called by mine.py:30 in finish"; empty where no thread but the caller's is in Python."""
    own = threading.get_ident()
    texts = [_calls(frame) for thread, frame in sorted(sys._current_frames().items()) if thread != own]
    told = "; ".join(dict.fromkeys(text for text in texts if text))
    return f"Python is at {told}" if told else ""


def _calls(innermost: FrameType) -> str:
    calls = [(frame.f_code, line) for frame, line in traceback.walk_stack(innermost)]
    others = [(code, line) for code, line in calls if not code.co_filename.startswith((_PACKAGE, "<frozen"))]
    return ", called by ".join(f"{os.path.basename(code.co_filename)}:{line} in {code.co_name}" for code, line in others[:_CALLS])

"""What a candidate raises to refuse. Anything else that it raises is a crash, unless its class says otherwise (``Reloader.errors``)."""


class ReloadError(Exception):
    """The call failed, and says so: the step's outcome is an error with this text."""

    code = "failed"


class Misuse(ReloadError):
    """The call came out of order: prepare twice, finish without prepare, a load through a handle of another time."""

    code = "misuse"


class Rejected(ReloadError):
    """A policy refuses what was delivered: excess, missing, unknown, above a limit."""

    code = "rejected"


class Unsupported(ReloadError):
    """This implementation cannot do it: ``abort`` of one that has none."""

    code = "unsupported"


class LoadError(ReloadError):
    """What the model's own code (a loader, a post-load step) says when it fails; raised by the harness, not by candidates."""


class Abandoned(BaseException):
    """The harness goes no further: let it pass."""

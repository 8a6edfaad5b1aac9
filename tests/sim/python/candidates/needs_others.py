"""Cannot be imported: what it needs is not there."""

import nowhere_to_be_found  # noqa: F401

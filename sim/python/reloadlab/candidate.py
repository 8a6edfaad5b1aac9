"""The contract for an implementation under test: two roles, as classes to derive from.

The harness owns the model, a tree of real ``torch.nn.Module``s, and sees copies, allocations and addresses for itself. One instance serves one
rank; ranks may be threads, of which one goes on at a time.

A parameter is loaded through its own loader, ``param.weight_loader(param, loaded_weight)``, which a candidate may replace as engines do:
a function or bound method that may also be given ``shard_id`` ("q"), ``expert_id`` (3) and ``part`` by name. One that has none is loaded by
``reloadlab.default_weight_loader``. Layers have ``quant_method`` (``process_weights_after_loading(layer)``) or ``None``.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from .errors import ReloadError, Unsupported


class Reloader:
    """Reloads a model: ``record``, then for each update ``prepare``, loads, and ``finish`` or ``abort``.

    ``system``    what it is a candidate for: ``"layerwise"`` or ``"online_quant"``.
    ``declared``  what it says of itself, by which laws judge: ``abort`` none, backup or unusable; ``excess``, ``missing`` and ``unexpected``
                  silent, accept, warn or reject; ``buffering`` by_reference or owned; ``misuse`` undefined or error; ``reports`` yes where it
                  reports coverage. What is left out is none, silent, by_reference and undefined.
    ``errors``    exceptions that are its way to refuse a call. Any other that leaves it breaks the law ``survives``.
    """

    system: ClassVar[str] = "layerwise"
    declared: ClassVar[dict[str, str]] = {}
    errors: ClassVar[tuple[type[BaseException], ...]] = (ReloadError,)

    def __init__(self, context) -> None:
        """``context``: ``rank``, ``ranks``, ``transport_reuses_buffers`` (the bytes of a loaded tensor may change after its load call
        returns), ``extra_bytes_limit`` (bytes, or None) and ``report(kind, layer, slot, numel, detail)`` for hints: armed, load_counted,
        load_dropped, completed, processed, copied_back, disarmed, missing, excess, unexpected, warning."""
        self.context = context

    def record(self, model: torch.nn.Module) -> None:
        """Once, after the model was constructed and before its first load. Tensors hold nothing yet."""

    def before_post_load(self, model: torch.nn.Module) -> None:
        """Once, after the first load and before the layers' post-load steps."""

    def prepare(self, model: torch.nn.Module) -> None:
        """An update begins. Loads of the whole checkpoint, of parts, or none follow."""
        raise NotImplementedError

    def finish(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
        """The update ends: what was loaded has to be in the tensors that the model had, at their addresses.

        ``dtype``: the model's, for ``process_weights_after_loading(dtype)`` of attention layers.
        """
        raise NotImplementedError

    def abort(self, model: torch.nn.Module) -> None:
        """The update is abandoned. Raises ``Unsupported`` where there is no such thing."""
        raise Unsupported("no abort")

    def sleep(self, model: torch.nn.Module, keeps_contents: bool) -> None:
        """What construction and first load have allocated is about to lose its memory; addresses stay. Until ``wake`` nobody may touch it."""

    def wake(self, model: torch.nn.Module) -> None:
        """The memory is back; without ``keeps_contents`` a reload of a whole checkpoint follows."""

    def unusable(self) -> bool:
        """True where the model must not be used until a full reload has succeeded."""
        return False


class WeightSeries:
    """A series of layers whose weights live on one rank each and reach the others by broadcasts, one instance for each rank.

    ``register_layer`` for each layer, before any load; ``finish_loading`` once; then passes, which call ``reach(i)`` before the forward of
    layer i. It may wrap ``layer.forward``. From ``register_layer`` on every call is collective.
    """

    declared: ClassVar[dict[str, str]] = {}
    errors: ClassVar[tuple[type[BaseException], ...]] = (ReloadError,)

    def __init__(self, context, series) -> None:
        """``series``: ``name``, ``group`` (a ``torch.distributed`` process group of all ranks that share), ``device`` and ``prefetch``, how
        many layers ahead broadcasts are started."""
        self.context = context
        self.series = series

    def register_layer(self, layer: torch.nn.Module, index: int) -> None:
        """``index``: of the layer in the model, which is also its owner's rank modulo the number of ranks."""
        raise NotImplementedError

    def finish_loading(self) -> None:
        raise NotImplementedError

    def reach(self, index: int) -> None:
        raise NotImplementedError

    def wait(self, index: int) -> None:
        raise NotImplementedError

    def drain(self) -> None:
        raise Unsupported("no drain")

    def reset(self) -> None:
        raise Unsupported("no reset")

    def begin_reload(self, in_place: bool) -> None:
        raise Unsupported("no reload")

    def reload(self) -> None:
        raise Unsupported("no reload")

    def sleep(self, keeps_contents: bool) -> None:
        """As a reloader's. What is in flight comes before."""

    def wake(self) -> None:
        """As a reloader's."""

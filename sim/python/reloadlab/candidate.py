"""The contract for an implementation under test: two roles, as classes to derive from.

The harness owns the model, a tree of real ``torch.nn.Module``s, and sees copies, allocations and addresses for itself. One instance serves one
rank; ranks may be threads, of which one goes on at a time.

A parameter is loaded through its own loader, ``param.weight_loader(param, loaded_weight)``, which a candidate may replace as engines do:
a function or bound method that may also be given ``shard_id`` ("q"), ``expert_id`` (3) and ``part`` by name. ``loaded_weight`` has the shape
that the checkpoint gives it, before it is split among ranks: ``[out, in]`` of a linear layer. A parameter that has no loader is loaded by
``reloadlab.default_weight_loader``. Layers have ``quant_method`` (``process_weights_after_loading(layer)``), and a ``forward`` that may be
replaced on the module: what stands there has to call the one that it found.

Whatever a call raises of its class's ``errors`` is its refusal, and the step's outcome; any other exception breaks the law ``survives``.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch

from .errors import ReloadError, Unsupported


class Context(Protocol):
    """What a candidate knows of the rank that it serves."""

    @property
    def rank(self) -> int:
        """From 0."""

    @property
    def ranks(self) -> int:
        """How many there are, among which tensor-parallel layers are split."""

    @property
    def transport_reuses_buffers(self) -> bool:
        """True where the bytes of a loaded tensor may change after its load call returns: who keeps it has to copy it."""

    @property
    def extra_bytes_limit(self) -> int | None:
        """The most bytes that an update may hold beside the model, on this rank; None: no limit."""

    def report(self, kind: str, layer: str = "", slot: str = "", numel: int = 0, detail: str = "") -> None:
        """A hint for reports, by which nobody judges.

        kind: armed, load_counted, load_dropped, completed, processed, copied_back, disarmed, missing, excess, unexpected or warning.
        layer, slot: what it is about, "blocks.0.qkv" and "weight". numel: elements.

        ValueError: no kind is called so; the text has the nearest one.
        """


class Series(Protocol):
    """What a series knows of where it runs."""

    name: str
    group: torch.distributed.ProcessGroup  # of all ranks that share
    device: torch.device
    prefetch: int  # how many layers ahead broadcasts are started


class Reloader:
    """Reloads a model: ``record``, then for each update ``prepare``, loads, and ``finish`` or ``abort``.

    ``system``    what it is a candidate for: ``"layerwise"`` or ``"online_quant"``.
    ``declared``  what it says of itself, by which laws judge: ``abort`` none, backup or unusable; ``excess``, ``missing`` and ``unexpected``
                  silent, accept, warn or reject; ``buffering`` by_reference or owned; ``misuse`` undefined or error; ``reports`` yes where it
                  reports coverage. What is left out is none, silent, by_reference and undefined. ``landing`` direct where loads go straight
                  into the live tensors; ``completion`` finish where nothing is processed before ``finish``; with elements, numel or
                  nothing a layer is complete with the load that brings its last element.
    ``errors``    exceptions that are its way to refuse a call. Any other that leaves it breaks the law ``survives``.
    """

    system: ClassVar[str] = "layerwise"
    declared: ClassVar[dict[str, str]] = {}
    errors: ClassVar[tuple[type[BaseException], ...]] = (ReloadError,)

    def __init__(self, context: Context) -> None:
        """Once for each model and rank, before anything else."""
        self.context = context

    def record(self, model: torch.nn.Module) -> None:
        """Once, after the model was constructed and before its first load. Tensors hold nothing yet."""

    def before_post_load(self, model: torch.nn.Module) -> None:
        """Once, after the first load and before the layers' post-load steps."""

    def prepare(self, model: torch.nn.Module) -> None:
        """An update begins. Loads of the whole checkpoint, of parts, or none follow."""
        raise NotImplementedError(f"{type(self).__name__} has no prepare()")

    def finish(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
        """The update ends: what was loaded has to be in the tensors that the model had, at their addresses.

        ``dtype``: the model's, for ``process_weights_after_loading(dtype)`` of attention layers.
        """
        raise NotImplementedError(f"{type(self).__name__} has no finish()")

    def abort(self, model: torch.nn.Module) -> None:
        """The update is abandoned. Raises ``Unsupported`` where there is no such thing."""
        raise Unsupported("no abort")

    def sleep(self, model: torch.nn.Module, keeps_contents: bool) -> None:
        """What construction and first load have allocated is about to lose its memory; addresses stay. Until ``wake`` nobody may touch it.

        keeps_contents: what is there comes back; otherwise the harness restores the model's buffers alone before it calls ``wake``.
        """

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

    def __init__(self, context: Context, series: Series) -> None:
        """Once on each rank, before any layer is registered."""
        self.context = context
        self.series = series

    def register_layer(self, layer: torch.nn.Module, index: int) -> None:
        """A layer of the series, before any load.

        layer: its weight is not loaded yet; on a rank that does not own it, it may be let go of.
        index: of the layer in the model, which is also its owner's rank modulo the number of ranks.
        """
        raise NotImplementedError(f"{type(self).__name__} has no register_layer()")

    def finish_loading(self) -> None:
        """Once, after the first load: owners have their weights, in checkpoint layout, and process them now."""
        raise NotImplementedError(f"{type(self).__name__} has no finish_loading()")

    def reach(self, index: int) -> None:
        """A pass has come to that layer, whose forward is next. Broadcasts of layers to come may start."""
        raise NotImplementedError(f"{type(self).__name__} has no reach()")

    def wait(self, index: int) -> None:
        """What the current stream does from here on comes after that layer's weight has arrived. Called also without the forward."""
        raise NotImplementedError(f"{type(self).__name__} has no wait()")

    def drain(self) -> None:
        """The current stream comes after every broadcast in flight. Raises ``Unsupported`` where there is no such thing."""
        raise Unsupported("no drain")

    def reset(self) -> None:
        """The next pass begins at the first layer, wherever the last one stopped. Raises ``Unsupported``, likewise."""
        raise Unsupported("no reset")

    def begin_reload(self, in_place: bool) -> None:
        """Owners get new weights until ``reload``. Raises ``Unsupported``, likewise.

        in_place: they are written into the live tensors, processed; otherwise loaders bring them as checkpoints have them.
        """
        raise Unsupported("no reload")

    def reload(self) -> None:
        """New weights are there: the next pass reads them, and none that came before."""
        raise Unsupported("no reload")

    def sleep(self, keeps_contents: bool) -> None:
        """As a reloader's. What is in flight comes before."""

    def wake(self) -> None:
        """As a reloader's."""

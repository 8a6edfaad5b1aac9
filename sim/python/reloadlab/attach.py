"""Judges a live model in its own process: what a reload left against a cold load, addresses, growth, and what graphs read."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from . import _reloadlab
from .walk import Handles, Moment, walk

Outputs = list[tuple[str, torch.Tensor]]


@dataclasses.dataclass(frozen=True)
class Graph:
    """A captured graph. `replay` runs it and gives its output; `cold` gives what it would have to give, from a model that was loaded cold."""

    replay: Callable[[], torch.Tensor]
    cold: Callable[[torch.nn.Module], torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Law:
    """What one law says. `state`: pass, fail, inconclusive, unsupported. `tensor`, `what` and `first` are of the first evidence against it."""

    law: str
    state: str
    reason: str = ""
    rank: int = 0
    step: int = -1
    tensor: str = ""
    what: str = ""
    first: str = ""


@dataclasses.dataclass(frozen=True, repr=False)
class Report:
    """Verdicts of all laws, as text with str(), and the evidence, for `merge`; a watch's has none."""

    laws: tuple[Law, ...]
    text: str
    evidence: bytes = b""

    @property
    def broken(self) -> tuple[Law, ...]:
        return tuple(law for law in self.laws if law.state not in ("pass", "unsupported", "inconclusive"))

    @property
    def ok(self) -> bool:
        return not self.broken

    def __getitem__(self, name: str) -> Law:
        for law in self.laws:
            if law.law == name:
                return law
        raise KeyError(f"no law {name!r} was judged; there are {', '.join(law.law for law in self.laws)}")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Report: {self.text}>"


class LawBroken(AssertionError):
    """A law is broken; `report` says which and where."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.text)
        self.report = report


def _report(verdicts: str, text: str, evidence: bytes = b"") -> Report:
    known = {field.name for field in dataclasses.fields(Law)}
    laws = tuple(Law(**{key: value for key, value in each.items() if key in known}) for each in json.loads(verdicts))
    return Report(laws, text, evidence)


def merge(reports: Iterable[Report]) -> Report:
    """One report of all ranks, from each rank's own, in any order. ValueError: a rank is missing, or they are of different runs."""
    reports = list(reports)
    if not all(isinstance(report, Report) for report in reports):
        raise TypeError("merge() takes reports of attach()")
    if any(not report.evidence for report in reports):
        raise ValueError("merge() takes reports of attach(): a watch's has no evidence")
    evidence = _reloadlab.merge_attached([report.evidence for report in reports])
    return _report(*_reloadlab.judge_attached(evidence), evidence)


class _Session:
    def __init__(self, model: torch.nn.Module, caches: Any, ignore: Iterable[str], count: bool, **options: Any) -> None:
        if not isinstance(model, torch.nn.Module):
            raise TypeError(f"a model is a torch.nn.Module, not {model!r:.80}")
        self.model, self.caches, self.ignore, self.count = model, caches, _listed("ignore", ignore), count
        self.handles = Handles()
        self.allocated = 0
        self.unheard: dict[StorageWeakRef, int] = {}
        self.seen = _reloadlab.Attached(on_gpu=_is_on_gpu(model), **options)

    def moment(self) -> Moment:
        return walk(self.model, self.handles, self.caches, ignore=self.ignore)

    def begin(self, checkpoint: str) -> None:
        moment = self.moment()
        for held in moment.held:
            if held.tensor is not None and held.tensor.device.type == "cpu":
                storage = held.tensor.untyped_storage()
                self.unheard[_weak(storage)] = storage.nbytes()
        self.seen.begin(checkpoint, moment)

    def _freed_unheard(self) -> int:
        """Bytes of the CPU that have gone and of which no allocator tells: they were there before the first update."""
        gone = [storage for storage in self.unheard if _expired(storage.cdata)]
        return sum(self.unheard.pop(storage) for storage in gone)

    @contextlib.contextmanager
    def update(self, checkpoint: str) -> Iterator[None]:
        """The body is one update. What it raises is evidence."""
        error = None
        memory = _reloadlab.MemoryWatch()
        try:
            yield
        except Exception as raised:  # whatever it is, the laws want to know what it left
            error = _said(raised)
        if memory.now() > 0:
            gc.collect()  # what only waits for that is not left
        memory.stop()
        peak, after = memory.peak(), memory.now() - self._freed_unheard()
        self.allocated += after
        live = _live_objects() if self.count else (0, 0, 0)
        self.seen.update(checkpoint, error, peak, after, (*live, self.allocated), self.moment())


# Torch gives these no types.
_weak: Callable[[torch.UntypedStorage], StorageWeakRef] = StorageWeakRef
_expired: Callable[[int], bool] = getattr(torch, "Storage")._expired  # as StorageWeakRef asks
_cuda: Any = torch.cuda


def _is_on_gpu(model: torch.nn.Module) -> bool:
    with contextlib.suppress(AttributeError):  # made without torch's __init__
        return any(tensor.is_cuda for tensor in (*model.parameters(), *model.buffers()))
    return False


def _live_objects() -> tuple[int, int, int]:
    """Modules, tensors and storages of the process that Python can reach."""
    gc.collect()
    modules = tensors = 0
    storages = set()
    for each in gc.get_objects():
        kind = type(each)  # isinstance() asks __class__, which lazy objects answer with work
        if issubclass(kind, torch.nn.Module):
            modules += 1
        elif issubclass(kind, torch.Tensor):
            tensors += 1
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # a tensor without a storage, or not yet made
                storages.add(each.untyped_storage()._cdata)
    return modules, tensors, len(storages)


def _poisoned_free_memory() -> list[torch.Tensor]:
    """What is free on GPUs, filled with what no weight is, as long as the result lives."""
    if not _cuda.is_initialized():
        return []
    held = []
    for segment in _cuda.memory_snapshot():
        if tuple(segment.get("segment_pool_id", (0, 0))) != (0, 0):
            continue  # a graph's own
        for block in segment["blocks"]:
            if block["state"] == "inactive":
                device = torch.device("cuda", segment["device"])
                held.append(torch.full((block["size"],), 0x7F, dtype=torch.uint8, device=device))
    return held


def _replay(graphs: Mapping[str, Graph]) -> Outputs:
    if not graphs:
        return []
    poison = _poisoned_free_memory()
    outputs = [(name, graph.replay().detach().clone()) for name, graph in graphs.items()]
    if poison:
        torch.cuda.synchronize()
    return outputs


def attach(model: torch.nn.Module, load: Callable[[torch.nn.Module, Any], Any], checkpoints: Sequence[Any] | Mapping[str, Any],
           cold: Callable[[Any], torch.nn.Module], *, laws: Sequence[str] = (), graphs: Mapping[str, Graph] | None = None,
           caches: Mapping[str, Any] | Iterable[Any] | None = None, ignore: Iterable[str] = (), extra_bytes: int | None = None,
           bytes: bool = True, repeat: int = 2, name: str | None = None, rank: int = 0, ranks: int = 1) -> Report:
    """Reloads `model` from its first checkpoint to the second and back, `repeat` times, and judges what each reload left.

    model: live, and holding the first checkpoint.
    load: `load(model, checkpoint)` puts a checkpoint into it, the way that is to be judged.
    checkpoints: two, or more, in whatever form `load` and `cold` take them; by name, or called as texts and paths are, or A, B, …
    cold: `cold(checkpoint)` makes a fresh model that was started with that checkpoint. It is looked at, and let go. Of what it writes in
        the process (globals, caches), tensors that differ from checkpoint to checkpoint are what a reload to that one has to leave there.
        Where forwards of the live model have filled caches it has to run one, too, or what they keep is compared with nothing.
    laws: some of cold_load_equal, return_exact, address_stable, no_residue, no_leak, memory_bound, graph_replay. Without them all for
        which there is evidence.
    graphs: captured before, by name; replayed after each reload, with free GPU memory poisoned.
    caches: more objects of the process that hold what the model uses. Globals and class attributes of modules that the model comes from
        are found.
    ignore: names, as reports have them, of what changes for reasons of its own: "process:engine.METRICS", "layers.*.extra:calls". They are left
        out with all that they hold; a star is one part of a name.
    extra_bytes: the most that a reload may hold beside the model, on this thread, on all devices; memory_bound is judged then.
    bytes: False leaves contents alone, and laws about them out.
    rank, ranks: in a process group every rank attaches, and `merge` puts their reports together.

    Of what a model holds beside tensors floats are compared, and nothing else; of quantized tensors where they lie, not what they hold.

    What `load` raises breaks the law `survives`. ValueError: wrong arguments, or two checkpoints with the same contents.
    """
    named = _named(checkpoints)
    if len(named) < 2:
        raise ValueError("two checkpoints are needed, so that a reload changes something")
    if operator.index(repeat) < 1:
        raise ValueError(f"repeat is {repeat}, expected 1 at least: nothing would be reloaded")
    laws = _listed("laws", laws)
    if "graph_replay" in laws and not graphs:
        raise ValueError("graph_replay is judged of graphs that are given")
    session = _Session(model, caches, ignore, True, name=_spelt(name or type(model).__name__),
                       candidate=getattr(load, "__qualname__", type(load).__name__), laws=laws, extra_bytes=extra_bytes, bytes=bytes,
                       rank=rank, ranks=ranks)
    graphs = graphs or {}
    if not isinstance(graphs, Mapping) or not all(isinstance(graph, Graph) for graph in graphs.values()):
        raise TypeError("graphs has to be a mapping of names to reloadlab.Graph")
    first, *others = named
    if bytes:
        for each in [*others, first]:  # what the last one leaves in the process is of what the model holds
            _take_cold(session, each, cold(named[each]), graphs)
    session.begin(first)
    session.seen.graphs(_replay(graphs))
    for each in [*others, first] * repeat:
        with session.update(each):
            load(model, named[each])
        session.seen.graphs(_replay(graphs))
    return _report(*session.seen.judge(), session.seen.evidence())


def _listed(argument: str, names: Iterable[str]) -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"{argument} is the text {names!r}, expected a list of names")
    names = list(names)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise TypeError(f"{argument} has {wrong[0]!r:.80}, expected names")
    return names


def _named(checkpoints: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(checkpoints, Mapping):
        named = {_spelt(name): each for name, each in checkpoints.items()}
        if len(named) < len(checkpoints):
            raise ValueError(f"two checkpoints have one name as texts: {', '.join(map(repr, checkpoints))}")
        return named
    if len(checkpoints) > 26:
        raise ValueError("more than 26 checkpoints need names: pass a mapping")
    if all(isinstance(each, (str, os.PathLike)) for each in checkpoints) and len(set(map(str, checkpoints))) == len(checkpoints):
        return {_spelt(each): each for each in checkpoints}
    return {chr(ord("A") + index): each for index, each in enumerate(checkpoints)}


def _spelt(name: Any) -> str:
    """Names of files may be no UTF-8."""
    return str(name).encode("utf-8", "backslashreplace").decode()


def _said(error: Exception) -> str:
    try:
        return _spelt(f"{type(error).__name__}: {error}")
    except Exception:  # one that cannot even say what it is
        return type(error).__name__


def _take_cold(session: _Session, name: str, model: torch.nn.Module, graphs: Mapping[str, Graph]) -> None:
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"cold() has to give a torch.nn.Module, and gave {model!r:.80} for checkpoint {name}")
    moment = walk(model, Handles(), session.caches, ignore=session.ignore)
    session.seen.cold(name, moment, [(each, graph.cold(model).detach().clone()) for each, graph in graphs.items()])
    if twin := session.seen.twin(name):
        raise ValueError(f"checkpoints {name} and {twin} are the same in all that the model holds: a reload would change nothing")


class watch(contextlib.AbstractContextManager["watch"]):
    """`with reloadlab.watch(model):` around an update raises LawBroken when it has broken a law, and passes on what the update raises.

    One watch serves any number of updates, one after another, and then sees growth too: keep it, and use it each time. What changes the
    model between two of them counts to the later one. It stands on the thread that reloads: what others allocate it does not hear of.

    laws: some of address_stable, no_residue, no_leak, memory_bound; all for which there is evidence without them.
    extra_bytes, caches, ignore: as `attach`. count: no_leak counts objects of the process too, which takes a walk through all of them.
    on_broken: called with the report instead of raising.
    """

    def __init__(self, model: torch.nn.Module, *, laws: Sequence[str] = (), caches: Mapping[str, Any] | Iterable[Any] | None = None,
                 ignore: Iterable[str] = (), extra_bytes: int | None = None, count: bool = False, on_broken: Callable[[Report], Any] | None = None,
                 name: str | None = None) -> None:
        self._session = _Session(model, caches, ignore, count, name=name or type(model).__name__, candidate="update", laws=_listed("laws", laws),
                                 extra_bytes=extra_bytes, bytes=False, rank=0, ranks=1)
        self._on_broken = on_broken
        self._updates = 0
        self._update: Any = None
        self.report: Report | None = None

    def __enter__(self) -> watch:
        if self._update is not None:
            raise RuntimeError("this watch is in an update already")
        if self._updates == 0:
            self._session.begin("as it was found")
        self._updates += 1
        self._update = self._session.update(f"update {self._updates}")
        self._update.__enter__()
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        if self._update is None:
            raise RuntimeError("this watch is in no update")
        update, self._update = self._update, None
        update.__exit__(kind, value, trace)
        self.report = _report(*self._session.seen.judge())
        self._session.seen.forget(growth=not self.report.ok)
        if kind is not None or self.report.ok:
            return
        if self._on_broken is None:
            raise LawBroken(self.report)
        self._on_broken(self.report)

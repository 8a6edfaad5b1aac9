"""One release of a package, imported beside other releases of it: its modules are in ``sys.modules`` only while its code runs."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import logging
import sys
import types
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path


class _Loader(importlib.machinery.SourceFileLoader):
    codes: dict[str, types.CodeType] = {}  # by path

    def get_code(self, fullname: str):
        if self.path not in self.codes:
            self.codes[self.path] = super().get_code(fullname)
        return self.codes[self.path]


class _CompiledOnce(importlib.abc.MetaPathFinder):
    """Each rank of each case has modules of its own, made of the same code."""

    def find_spec(self, fullname: str, path, target=None):
        if path is None:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is not None and type(found.loader) is importlib.machinery.SourceFileLoader:
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


_COMPILED_ONCE = _CompiledOnce()


class Site:
    """``packages`` get a ``__path__`` into the wheel, so that what is below them is imported from there; ``stubs`` are modules that hold
    the given names, in place of the wheel's own."""

    def __init__(self, root: Path, packages: list[str], stubs: dict[str, dict]) -> None:
        self.top = packages[0].split(".")[0]
        self.modules: dict[str, types.ModuleType] = {}
        for name in packages:
            module = types.ModuleType(name)
            module.__path__ = [str(root.joinpath(*name.split(".")))]
            self.modules[name] = module
        for name, values in stubs.items():
            module = types.ModuleType(name)
            module.__dict__.update(values)
            self.modules[name] = module

    def _mine(self) -> list[str]:
        """What of the package is in ``sys.modules``. There are thousands of others, so whoever can do without does not ask."""
        below = self.top + "."
        return [name for name in sys.modules if name == self.top or name.startswith(below)]

    @contextmanager
    def active(self):
        """Code of the release runs: what it imports late is this release's, and what was there before comes back."""
        if sys.modules.get(self.top) is self.modules[self.top]:
            yield
            return
        before = {name: sys.modules.pop(name) for name in (self._mine() if self.top in sys.modules else ())}
        sys.modules.update(self.modules)
        many = len(sys.modules)
        sys.meta_path.insert(0, _COMPILED_ONCE)
        try:
            yield
        finally:
            sys.meta_path.remove(_COMPILED_ONCE)
            for name in self.modules if len(sys.modules) == many else self._mine():
                if name in sys.modules:
                    self.modules[name] = sys.modules.pop(name)
            sys.modules.update(before)

    def load(self, module: str) -> types.ModuleType:
        with self.active():
            return importlib.import_module(module)

    def forget(self, module: str) -> None:
        """The next ``load`` of it makes another instance."""
        self.modules.pop(module, None)


LOADER = "vllm.model_executor.model_loader"


def loader_site(root: Path, model_config: type, init_logger: Callable[[str], logging.Logger], stubs: dict[str, dict]) -> Site:
    """For what lies below vLLM's model loader, whatever release: with ``vllm.config`` and ``vllm.logger`` of ours."""
    ours = {"vllm.config": {"ModelConfig": model_config}, "vllm.logger": {"init_logger": init_logger}}
    return Site(root, ["vllm", "vllm.model_executor", LOADER], ours | stubs)


def layerwise_site(root: Path, model_config: type, init_logger, attention: dict, quantize_method: type, default_weight_loader) -> Site:
    """For vLLM's layerwise reload, with all that it imports of its layers; ``attention`` has the classes by name."""
    layers = "vllm.model_executor.layers"
    stubs = {
        layers: {},
        f"{layers}.attention": attention,
        f"{layers}.quantization": {},
        f"{layers}.quantization.base_config": {"QuantizeMethodBase": quantize_method},
        f"{LOADER}.weight_utils": {"default_weight_loader": default_weight_loader},
    }
    return loader_site(root, model_config, init_logger, stubs)


class Logger(logging.Logger):
    """As the engines' own, which have levels that speak once."""

    def info_once(self, message: str, *args, **kwargs) -> None:
        self.info(message, *args)

    def debug_once(self, message: str, *args, **kwargs) -> None:
        self.debug(message, *args)

    def warning_once(self, message: str, *args, **kwargs) -> None:
        self.warning(message, *args)


class Heard(Logger):
    """One whose words are told to a function: ``hear(message, args, locals)`` with the local names of whoever says them."""

    def __init__(self, name: str, hear) -> None:
        super().__init__(name)
        self.hear = hear

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  logging's name
        return False

    def debug(self, message, *args, **kwargs) -> None:
        self.hear(message, args, sys._getframe(1).f_locals)

    def warning(self, message, *args, **kwargs) -> None:
        self.hear(message, args, sys._getframe(1).f_locals)

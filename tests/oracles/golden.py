"""What the scripts share that make golden files: weights from a formula, tensors as text, and the file itself.

A golden file holds no weights: reference/model's test makes the same ones from the same formula. In every file:

  {"made_with": {"torch": "2.11.0", ...},
   "cases": [{"method": ..., "rows": n, "columns": k, "dtype": ..., "seed": ..., "tensors": {name: {"dtype", "shape", "hex"}},
              "digests": {name: {"dtype", "shape", "fnv1a"}}}]}

Large tensors are kept as the 64-bit FNV-1a of their bytes.
"""
import importlib.metadata
import json

import torch

DTYPES = {torch.float32: "f32", torch.bfloat16: "bf16", torch.int8: "i8", torch.uint8: "u8", torch.float8_e4m3fn: "e4m3", torch.int32: "i32", torch.int64: "i64"}


def weight(rows, columns, dtype, seed):
    """24 bits of each element's scattered number, between -2 and 2, and every row with a range of its own: some rows are zero, hold
    tiny numbers, or none below zero. Exact in f32; to bf16 rounded to the nearest, ties to even."""
    number = torch.arange(rows * columns, dtype=torch.int64) + seed
    bits = (number * 2654435761 % 2**32) // 2**8
    values = ((bits - 2**23).to(torch.float32) * 2.0**-22).reshape(rows, columns)
    for row in range(rows):
        kind = row % 16
        values[row] *= 0.0 if kind == 3 else 2.0**-40 if kind == 5 else 2.0**-(row % 9)
        if kind == 7:
            values[row] = values[row].abs()
    return values.to(dtype)


def bytes_of(tensor):
    return bytes(tensor.detach().contiguous().reshape(-1).view(torch.uint8).tolist())


def as_text(tensor):
    return {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "hex": bytes_of(tensor).hex()}


def as_digest(tensor):
    number = 0xCBF29CE484222325
    for byte in bytes_of(tensor):
        number = (number ^ byte) * 0x100000001B3 % 2**64
    return {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "fnv1a": f"{number:016x}"}


def case(method, values, seed, tensors, digests=None):
    return {
        "method": method,
        "rows": values.shape[0],
        "columns": values.shape[1],
        "dtype": DTYPES[values.dtype],
        "seed": seed,
        "tensors": {name: as_text(tensor) for name, tensor in tensors.items()},
        "digests": {name: as_digest(tensor) for name, tensor in (digests or {}).items()},
    }


def write(path, packages, cases):
    versions = {name: importlib.metadata.version(name).split("+")[0] for name in ("torch", *packages)}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"made_with": versions, "cases": cases}, file, indent=1)
        file.write("\n")

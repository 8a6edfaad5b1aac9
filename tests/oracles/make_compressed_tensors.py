"""make_compressed_tensors.py FILE: packed weights of 4 bits as compressed-tensors makes and reads them, for wna16.cpp, wna16_online.cpp and
the kind packed_column_parallel_linear. `weight` is what it unpacks them to."""
import sys

import torch
from compressed_tensors.compressors import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams
from golden import case, weight, write


def packed(values, group, symmetric):
    args = QuantizationArgs(num_bits=4, type="int", strategy="group", group_size=group, symmetric=symmetric)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    grouped = values.reshape(values.shape[0], -1, group)
    scale, zero_point = calculate_qparams(grouped.amin(2), grouped.amax(2), args)
    loaded = {"weight": values, "weight_scale": scale}
    if not symmetric:
        loaded["weight_zero_point"] = zero_point
    made = PackedQuantizationCompressor.compress(loaded, scheme)
    return made, {"weight": PackedQuantizationCompressor.decompress(made, scheme)["weight"]}


def main(path):
    cases = []
    for seed, (method, shape, group, symmetric) in enumerate(
        [("wna16_online_g32", (64, 64), 32, False), ("wna16_online_g128", (64, 128), 128, False), ("wna16", (64, 64), 32, True)]
    ):
        for dtype in (torch.float32, torch.bfloat16):
            values = weight(*shape, dtype, seed)
            cases.append(case(method, values, seed, *packed(values, group, symmetric)))
    write(path, ["compressed-tensors"], cases)


main(sys.argv[1])

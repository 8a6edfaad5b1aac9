"""make_compressed_tensors.py FILE: what compressed-tensors makes of weights.

Packed integers of 4 bits, for wna16.cpp, wna16_online.cpp and the kind packed_column_parallel_linear; the digest `weight` is of what it
unpacks them to. 8-bit floats from f32 weights, for fp8.cpp: there its arithmetic, which is in the weight's type, is that of single precision.
"""
import sys

import torch
from compressed_tensors.compressors import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.lifecycle.forward import quantize
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


def floats(values, strategy):
    args = QuantizationArgs(num_bits=8, type="float", strategy=strategy, symmetric=True)
    dims = (0, 1) if strategy == "tensor" else 1
    scale, zero_point = calculate_qparams(values.amin(dims, keepdim=True), values.amax(dims, keepdim=True), args)
    made = quantize(values, scale, zero_point, args, dtype=torch.float8_e4m3fn)
    return {"weight": made.t() if strategy == "tensor" else made, "weight_scale": scale.reshape(-1) if strategy == "tensor" else scale}


def main(path):
    cases = []
    for seed, (method, strategy) in enumerate([("fp8_per_tensor", "tensor"), ("fp8_per_channel", "channel")]):
        values = weight(3, 256, torch.float32, seed)  # without a row of zeros: its scale is 2⁻²³ there and 1 here
        cases.append(case(method, values, seed, floats(values, strategy)))
    for seed, (method, shape, group, symmetric) in enumerate(
        [("wna16_online_g32", (64, 64), 32, False), ("wna16_online_g128", (64, 128), 128, False), ("wna16", (64, 64), 32, True)]
    ):
        for dtype in (torch.float32, torch.bfloat16):
            values = weight(*shape, dtype, seed)
            cases.append(case(method, values, seed, *packed(values, group, symmetric)))
    write(path, ["compressed-tensors"], cases)


main(sys.argv[1])

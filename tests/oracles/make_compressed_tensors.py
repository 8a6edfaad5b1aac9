"""make_compressed_tensors.py FILE: what compressed-tensors makes of weights.

Packed integers of 4 bits, for wna16.cpp, wna16_online.cpp and the kind packed_column_parallel_linear; the digest `weight` is of what it
unpacks them to. The same of fused experts, each of whose matrices is packed for itself. 8-bit floats from f32 weights, for fp8.cpp: there its arithmetic, which is in the weight's type, is that of single precision.
8-bit integers with a scale a row, for int8.cpp: it has a scale for 127.5, where int8.cpp has one for 127 as torchao has for a range of -127
to 127; so the scale is torchao's, and the integers are what compressed-tensors makes with it.
"""
import sys

import torch
from compressed_tensors.compressors import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.lifecycle.forward import quantize
from compressed_tensors.quantization.utils import calculate_qparams
from golden import case, weight, write
from torchao.quantization.quant_primitives import MappingType, choose_qparams_affine


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


def packed_experts(count, intermediate, hidden, group, symmetric, dtype):
    tensors, values = {}, {}
    for expert in range(count):
        for name, shape in [("gate_proj", (intermediate, hidden)), ("down_proj", (hidden, intermediate)), ("up_proj", (intermediate, hidden))]:
            made, stands_for = packed(weight(*shape, dtype, len(values)), group, symmetric)
            tensors.update({f"experts.{expert}.{name}.{suffix}": tensor for suffix, tensor in made.items()})
            values[f"experts.{expert}.{name}"] = stands_for["weight"]
    return tensors, values


def floats(values, strategy):
    args = QuantizationArgs(num_bits=8, type="float", strategy=strategy, symmetric=True)
    dims = (0, 1) if strategy == "tensor" else 1
    scale, zero_point = calculate_qparams(values.amin(dims, keepdim=True), values.amax(dims, keepdim=True), args)
    made = quantize(values, scale, zero_point, args, dtype=torch.float8_e4m3fn)
    return {"weight": made.t() if strategy == "tensor" else made, "weight_scale": scale.reshape(-1) if strategy == "tensor" else scale}


def in_blocks(values):
    args = QuantizationArgs(num_bits=8, type="float", strategy="block", block_structure=[128, 128], symmetric=True)
    boxes = values.reshape(values.shape[0] // 128, 128, values.shape[1] // 128, 128)
    scale, _ = calculate_qparams(boxes.amin((1, 3)), boxes.amax((1, 3)), args)
    return {"weight_scale_inv": scale}, {"weight": quantize(values, scale, None, args, dtype=torch.float8_e4m3fn)}  # -0 + 0 were 0


def integers(values):
    scale, _ = choose_qparams_affine(
        values, MappingType.SYMMETRIC, (1, values.shape[1]), torch.int8, quant_min=-127, quant_max=127, eps=2.0**-120, scale_dtype=torch.float32
    )
    args = QuantizationArgs(num_bits=8, type="int", strategy="channel", symmetric=True)
    scale = scale.reshape(-1, 1)
    return {"weight": quantize(values, scale, torch.zeros_like(scale), args, dtype=torch.int8), "weight_scale": scale}


def main(path):
    cases = []
    for seed, (method, strategy) in enumerate([("fp8_per_tensor", "tensor"), ("fp8_per_channel", "channel")]):
        values = weight(3, 256, torch.float32, seed)  # without a row of zeros: its scale is 2⁻²³ there and 1 here
        cases.append(case(method, values, seed, floats(values, strategy)))
    for seed in range(2):
        values = weight(256, 384, torch.float32, seed)
        cases.append(case("fp8_block", values, seed, *in_blocks(values)))
    for seed, columns in enumerate([48, 200]):
        values = weight(3, columns, torch.float32, seed)  # without a row of zeros, as above
        cases.append(case("int8_per_channel", values, seed, integers(values)))
    for seed, (method, shape, group, symmetric) in enumerate(
        [("wna16_online_g32", (64, 64), 32, False), ("wna16_online_g128", (64, 128), 128, False), ("wna16", (64, 64), 32, True)]
    ):
        for dtype in (torch.float32, torch.bfloat16):
            values = weight(*shape, dtype, seed)
            cases.append(case(method, values, seed, *packed(values, group, symmetric)))
    for dtype, symmetric in [(torch.float32, True), (torch.bfloat16, False)]:
        made = packed_experts(2, 32, 64, 16, symmetric, dtype)
        cases.append(case("experts_wna16", torch.empty(32, 64, dtype=dtype), 0, *made))
    write(path, ["compressed-tensors", "torchao"], cases)


main(sys.argv[1])

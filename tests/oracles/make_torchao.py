"""make_torchao.py FILE: what torchao makes of weights on a CPU, for reference/model/quant/int8_weight_only.cpp and int4_weight_only.cpp."""
import os
import sys
import warnings

os.environ["ATEN_CPU_CAPABILITY"] = "default"  # the one packed layout that does not depend on the machine's vector instructions
warnings.filterwarnings("ignore")

import torch
from golden import case, weight, write
from torchao.prototype.int4_opaque_tensor import Int4WeightOnlyOpaqueTensorConfig
from torchao.quantization import Int8WeightOnlyConfig, quantize_


def quantized(values, config):
    layer = torch.nn.Linear(values.shape[1], values.shape[0], bias=False, dtype=values.dtype)
    layer.weight = torch.nn.Parameter(values.clone(), requires_grad=False)
    quantize_(layer, config)
    return layer.weight


def int8_per_row(values):
    made = quantized(values, Int8WeightOnlyConfig(version=2, set_inductor_config=False))
    return {"weight": made.qdata, "weight_scale": made.scale}


def int8_in_groups(values, group):
    made = quantized(values, Int8WeightOnlyConfig(group_size=group, set_inductor_config=False)).tensor_impl
    return {"weight": made.int_data, "weight_scale": made.scale, "weight_zero_point": made.zero_point}


def int4_in_groups(values, group):
    made = quantized(values, Int4WeightOnlyOpaqueTensorConfig(group_size=group, set_inductor_config=False))
    return {"weight": made.qdata, "weight_scale_and_zero": made.scale_and_zero}


METHODS = [
    ("int8_weight_only", (16, 48), int8_per_row),
    ("int8_weight_only_g32", (16, 64), lambda values: int8_in_groups(values, 32)),
    ("int4_weight_only_g32", (48, 64), lambda values: int4_in_groups(values, 32)),
    ("int4_weight_only_g64", (16, 64), lambda values: int4_in_groups(values, 64)),
    ("int4_weight_only_g128", (32, 128), lambda values: int4_in_groups(values, 128)),
]


def main(path):
    assert torch.backends.cpu.get_cpu_capability() == "DEFAULT"
    cases = []
    for seed, (method, shape, make) in enumerate(METHODS):
        for dtype in (torch.float32, torch.bfloat16):
            values = weight(*shape, dtype, seed)
            cases.append(case(method, values, seed, make(values)))
    write(path, ["torchao"], cases)


main(sys.argv[1])

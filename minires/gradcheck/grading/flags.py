"""Cases of what a submission declares and no case of the op sets: bias=False, affine=False, another momentum."""

import math
from dataclasses import replace

import numpy as np

MOMENTUM = 0.3  # which neither PyTorch nor Keras has as its default
# γ and β, which a norm need not have; conv_norm's weight is its kernel, and a teacher's own function has all it takes.
# A layer or group norm does without both, or without β; where a flag takes γ alone away, it is 1 as well.
NEUTRAL = {
    "batch_norm": {"weight": np.ones_like, "bias": np.zeros_like},
    "batch_norm_relu": {"weight": np.ones_like, "bias": np.zeros_like},
    "conv_norm": {"gamma": np.ones_like, "beta": np.zeros_like},
}
OF_FLAGS = NEUTRAL | dict.fromkeys(("layer_norm", "group_norm"), NEUTRAL["batch_norm"])


def more_cases(plan, plain):
    """The plain case without what each flag of a submission switches off, and with another momentum."""
    slots = [slot for binding in plan.all_bindings() for slot in binding.slots if slot.role == "flag"]
    arguments = plan.standard.arguments
    neutral = OF_FLAGS.get(plan.standard.name, {})
    for slot in slots:
        label = f"plain, {slot.parameter.name}=False"
        last = list(slot.what) == arguments[len(arguments) - len(slot.what) :]
        if last and plan.standard.name not in NEUTRAL:
            yield replace(plain, label=label, arrays=plain.arrays[: len(arguments) - len(slot.what)])
        elif set(slot.what) <= neutral.keys():
            arrays = [neutral[n](a) if n in slot.what else a for n, a in zip(arguments, plain.arrays)]
            yield replace(plain, label=label, arrays=tuple(arrays))
    if "momentum" in plan.standard.settings and plan.knows("momentum"):
        yield replace(plain, label=f"plain, momentum {MOMENTUM:g}", static={**plain.static, "momentum": MOMENTUM})


def switched_off(standard, argument, case):
    """Numbers for an argument that a flag switches off: they are seen in y if the flag is left out."""
    x, *rest = case.arrays
    shape = x.shape[1:2] if standard.name.endswith("_norm") or not rest else rest[0].shape[:1]
    if standard.name == "layer_norm":
        shape = tuple(standard.full_settings(case)["normalized_shape"])
    return np.linspace(1.5, 2.5, math.prod(shape)).reshape(shape)

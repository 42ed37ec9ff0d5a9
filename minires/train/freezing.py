"""Which parts of a network stay as they are."""

from minires.errors import OptionError
from minires.settings import did_you_mean


def freeze(model, freeze):
    """Take the parts that `freeze` names ("conv1,layer1") out of the training. Raises OptionError for a wrong name.

    No gradient is computed for a frozen parameter. Where the frozen parts are the first ones of the network, the graph
    begins behind them: no backward pass goes through them, and none of their activations are kept. In MobileNetV2 with
    features frozen a step is little more than a forward pass.
    """
    parameters = dict(model.named_parameters())
    if freeze and not _names(freeze):
        raise OptionError(f"freeze must name parts of the network, such as features, got {freeze!r}")
    for name in _names(freeze):
        found = [p for dotted, p in parameters.items() if _is_below(dotted, name)]
        if not found:
            raise OptionError(f"freeze: the network has no part {name!r} with parameters; {_advice(model, name)}")
        for parameter in found:
            parameter.requires_grad = False
    if not any(p.requires_grad for p in parameters.values()):
        raise OptionError(f"freeze: {freeze} is the whole network, so there is nothing to train; leave its head out")


def train_mode(model, freeze):
    """model.train(), but frozen parts stay in evaluation: their norms use running statistics, and do not move them."""
    model.train()
    for name in _names(freeze):
        for dotted, module in model.named_modules():
            if _is_below(dotted, name):
                module.training = False


def _names(freeze):
    return [name.strip() for name in freeze.split(",") if name.strip()]


def _is_below(dotted, name):
    return dotted == name or dotted.startswith(f"{name}.")


def _advice(model, name):
    """What may have been meant: a similar name with as many dots, or else the names at the top."""
    depth = name.count(".") + 1
    names = {".".join(dotted.split(".")[:depth]) for dotted, _ in model.named_parameters()}
    top = ", ".join(child for child, module in model.named_children() if any(True for _ in module.parameters()))
    return did_you_mean(name, sorted(names), f"its parts are {top}")

"""The functions that make models: what they show, and what they say to wrong options."""

import inspect
import pickle

import numpy as np
import pytest

from minires import Tensor, models
from minires.errors import DTypeError, OptionError, ShapeError
from minires.models import registry
from minires.nn import Linear


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (
            "resnet20",
            "num_classes in_channels width shortcut zero_init_residual order norm branches stochastic_depth rng",
        ),
        (
            "preact_resnet20",
            "num_classes in_channels width shortcut zero_init_residual norm branches stochastic_depth rng",
        ),
        ("plain20", "num_classes in_channels width zero_init_residual order norm branches stochastic_depth rng"),
        ("resnet18", "num_classes in_channels shortcut zero_init_residual stochastic_depth rng"),
        (
            "resnet50",
            "num_classes in_channels shortcut zero_init_residual stochastic_depth variant groups width_per_group rng",
        ),
        ("plain18", "num_classes in_channels zero_init_residual stochastic_depth rng"),
        ("resnext50_32x4d", "num_classes in_channels shortcut zero_init_residual stochastic_depth variant rng"),
        ("se_resnet18", "num_classes in_channels shortcut zero_init_residual stochastic_depth reduction rng"),
        (
            "se_resnet50",
            "num_classes in_channels shortcut zero_init_residual stochastic_depth reduction variant groups "
            "width_per_group rng",
        ),
        ("preact_resnet50", "num_classes in_channels shortcut zero_init_residual stochastic_depth rng"),
        ("vgg16_bn", "num_classes in_channels channels hidden dropout rng"),
        ("wide_resnet16_4", "num_classes in_channels dropout shortcut zero_init_residual rng"),
    ],
)
def test_a_model_shows_its_options_and_no_others(name, options):
    signature = inspect.signature(getattr(models, name))
    assert list(signature.parameters) == options.split()
    assert all(p.kind is p.KEYWORD_ONLY for p in signature.parameters.values())
    small = {"resnet20", "preact_resnet20", "plain20", "wide_resnet16_4"}
    assert signature.parameters["num_classes"].default == (10 if name in small else 1000)


def test_a_shown_default_is_what_is_taken():
    """Giving every default by name makes the same network."""
    for name in ("resnet20", "plain20", "preact_resnet20", "resnet50"):
        defaults = {p.name: p.default for p in inspect.signature(getattr(models, name)).parameters.values()}
        first = models.create(name, rng=0)
        second = models.create(name, **{**defaults, "rng": 0})
        assert repr(first) == repr(second)


def test_help_tells_what_a_model_is():
    assert inspect.getdoc(models.resnet50).startswith(
        "ResNet(Bottleneck, (3, 4, 6, 3)).\n\nx (N,in_channels,H,W) -> logits"
    )
    assert models.plain20.__doc__.startswith("CifarResNet(20, shortcut=None)")
    assert models.resnet20.__name__ == "resnet20"
    assert pickle.loads(pickle.dumps(models.resnet20)) is models.resnet20


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.resnet18(10), r"resnet18: options are given by name, resnet18\(num_classes=10\)"),
        (
            lambda: models.resnet18(pretrained=True),
            r"resnet18: minires brings no trained weights; leave out pretrained and load",
        ),
        (
            lambda: models.resnet18(weights="DEFAULT"),
            r"leave out weights and load a file of yours, model\.load\('weights",
        ),
        (
            lambda: models.resnet20(classes=3),
            "resnet20: there is no option 'classes'; it takes num_classes, in_channels",
        ),
        (lambda: models.resnet18(variant="v1"), "resnet18: there is no option 'variant'"),
        (lambda: models.plain20(shortcut="A"), "plain20: there is no option 'shortcut'"),
        (lambda: models.create("resnet20", depth=8), "resnet20: there is no option 'depth'"),
    ],
)
def test_a_wrong_option_is_answered_in_the_models_own_name(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("name", ["resnet18", "resnet20", "preact_resnet20"])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_classes": 0}, ShapeError, "num_classes must be at least 1, got 0"),
        ({"num_classes": -3}, ShapeError, "num_classes must be at least 1, got -3"),
        ({"num_classes": 2.0}, DTypeError, r"num_classes must be an integer, got 2\.0"),
        ({"num_classes": "10"}, DTypeError, "num_classes must be an integer, got '10'"),
        ({"in_channels": 0}, ShapeError, "in_channels must be at least 1, got 0"),
        ({"shortcut": True}, OptionError, "shortcut must be 'A', 'B' or None, got True"),
    ],
)
def test_a_number_that_cannot_be_is_refused(name, options, error, message):
    with pytest.raises(error, match=message):
        models.create(name, **options)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (7, DTypeError, "create: a model is named by a string such as 'resnet20', got 7"),
        (None, DTypeError, "got None"),
        (models.resnet20, DTypeError, "named by a string"),
        ("ResNet-21", OptionError, "did you mean resnet"),
        ("PreActResNet", OptionError, "did you mean preact_resnet"),
        ("", OptionError, r"models\.names\(\) lists the \d+ that"),
    ],
)
def test_create_says_what_a_name_is(name, error, message):
    with pytest.raises(error, match=message):
        models.create(name)


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("ResNet20", "resnet20"),
        ("resnet-20", "resnet20"),
        ("RESNET_20", "resnet20"),
        ("preact resnet 20", "preact_resnet20"),
        ("PreActResNet20", "preact_resnet20"),
        ("plain-20", "plain20"),
        ("se-resnet-20", "se_resnet20"),
        ("ResNeXt29_8x64d", "resnext29_8x64d"),
    ],
)
def test_a_name_is_understood_in_any_usual_spelling(name, twin):
    assert repr(models.create(name, rng=0)) == repr(models.create(twin, rng=0))


def test_the_classes_are_there_for_networks_of_ones_own():
    for model in (
        models.ResNet(models.BasicBlock, (1, 1, 1, 1), num_classes=3, rng=0),
        models.CifarResNet(14, num_classes=3),
        models.PreActCifarResNet(14, num_classes=3),
        models.ResNet(models.PreActBlock, (1, 1, 1, 1), num_classes=3),
    ):
        assert model.eval()(Tensor(np.zeros((1, 3, 33, 33), np.float32))).shape == (1, 3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: models.ResNet("basic", (1, 1, 1, 1)),
            DTypeError,
            "block must be a class such as BasicBlock, got 'basic'",
        ),
        (
            lambda: models.ResNet(models.BasicBlock, (1, 1, 1)),
            OptionError,
            r"the blocks in each stage, got \(1, 1, 1\)",
        ),
        (lambda: models.ResNet(models.BasicBlock, (1, 1, 1, 0)), ShapeError, "blocks must be at least 1, got 0"),
        (lambda: models.CifarResNet("20"), DTypeError, "depth must be an integer, got '20'"),
        (lambda: models.CifarResNet(21), OptionError, r"6n \+ 2 layers"),
        (lambda: models.BasicBlock(3, 0), ShapeError, "out_channels must be at least 1"),
    ],
)
def test_a_class_refuses_a_structure_that_cannot_be(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_family_registers_all_that_it_defines_and_opens_nothing_else():
    assert len(registry._defined) == len(models.names())
    classes = {"BasicBlock", "Block", "Bottleneck", "PadShortcut", "PreActBlock"}
    classes |= {"ResNet", "CifarResNet", "PreActCifarResNet"}
    classes |= {"ActivationFirstBlock", "PreActBasicBlock", "PreActBottleneck", "PreActResNet"}
    classes |= {"CifarResNeXt", "CifarWideResNet", "VGG", "WideBlock"}
    classes |= {"SEBasicBlock", "SEBottleneck", "SECifarBlock", "SECifarResNet", "SqueezeExcitation"}
    classes |= {"CifarDenseNet", "DenseLayer", "DenseNet"}
    classes |= {"EfficientNet", "EfficientNetB", "CifarMobileNetV2", "InvertedResidual", "MBConv", "MobileNetV2"}
    classes |= {"Encoder", "EncoderBlock", "SmallVisionTransformer", "VisionTransformer"}
    classes |= {"FeaturePyramidNetwork", "Features"}
    functions = {"compound_scaling", "create", "features", "names", "read_options"}
    assert set(models.__all__) == {*models.names(), *classes, *functions}


def test_two_structures_of_one_class_are_two_functions_with_the_options_of_the_class():
    class Net:
        """x -> x"""

        def __init__(self, depth, width, *, bias=True, rng=None):
            self.given = depth, width, bias, rng

    file = {"__name__": "family", "net1": registry.define(Net, 1, 2), "net2": registry.define(Net, 2, 3, bias=False)}
    registered = dict(registry._models)
    try:
        registry.register({**file, "Net": Net})
        assert models.create("net1", bias=None).given == (1, 2, None, None)
        assert models.create("net2", rng=7).given == (2, 3, False, 7)
    finally:
        registry._defined -= {file.pop("net1"), file.pop("net2")}
        registry._models.clear()
        registry._models.update(registered)


def test_a_new_head_is_made_from_the_old_ones_attributes():
    model = models.resnet18(num_classes=10, rng=0)
    model.fc = Linear(model.fc.in_features, 5)
    assert model.eval()(Tensor(np.zeros((1, 3, 33, 33), np.float32))).shape == (1, 5)

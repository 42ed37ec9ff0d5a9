"""Sequential, ModuleList and ModuleDict: what they take, what they refuse, and how they are changed."""

from collections import OrderedDict

import numpy as np
import pytest

from minires import Tensor, nn, ops
from minires.errors import DTypeError, OptionError


def linear():
    return nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((nn.ReLU,), r"layer 0: nn\.ReLU is a class; make a layer of it: nn\.ReLU\(\)"),
        ((nn.Identity(), ops.relu), r"layer 1: relu is a function, and no Module; write nn\.ReLU\(\)"),
        ((nn.functional.relu,), r"write nn\.ReLU\(\)"),
        ((lambda x: x,), r"call it in the forward\(\) of a Module of your own"),
        (([nn.Identity(), nn.ReLU()],), r"a list is no Module; put its layers in one by one: Sequential\(\*layers\)"),
        ((layer for layer in [nn.ReLU()]), r"^$"),
        (((layer for layer in [nn.ReLU()]),), r"Sequential\(\*layers\)"),
        ((nn.Identity(), 3), "layer 1: 3 is no Module"),
        ((None,), "None is no Module"),
        ((Tensor([1.0]),), "a Tensor is no Module"),
        ((int,), "int is a class, and no Module"),
    ],
)
def test_sequential_takes_layers_only_and_says_what_to_write(layers, message):
    if message == "^$":
        assert len(nn.Sequential(*layers)) == 1
        return
    with pytest.raises(DTypeError, match=message) as caught:
        nn.Sequential(*layers)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(DTypeError):
        nn.Sequential().extend(layers)


def test_every_function_that_has_a_layer_names_one_that_exists():
    from minires.nn.advice import _LAYER_OF

    for layer in _LAYER_OF.values():
        assert isinstance(eval(f"nn.{layer}", {"nn": nn}), nn.Module)


def test_an_ordered_dict_names_the_layers():
    model = nn.Sequential(OrderedDict(fc=nn.Linear(2, 5), act=nn.ReLU()))
    assert list(model.state_dict()) == ["fc.weight", "fc.bias"]
    assert model.act is model[1]
    assert len(nn.Sequential(OrderedDict())) == len(nn.Sequential()) == 0
    for name in ("a.b", "forward", ""):
        with pytest.raises(OptionError, match="name"):
            nn.Sequential(OrderedDict([(name, nn.ReLU())]))


@pytest.mark.parametrize(
    "kind",
    [lambda *layers: nn.Sequential(*layers), lambda *layers: nn.ModuleList(layers)],
    ids=["Sequential", "ModuleList"],
)
def test_a_list_of_modules_changes_as_a_python_list_does(kind):
    """Each change, done to a Python list beside it."""
    layers = [nn.Linear(1, i + 1) for i in range(9)]
    model = kind(*layers[:3])
    expected = layers[:3]

    def check():
        assert list(model) == expected
        assert len(model) == len(expected)
        assert list(model.state_dict()) == [f"{i}.{p}" for i in range(len(expected)) for p in ("weight", "bias")]
        assert [model[i] for i in range(-len(model), len(model))] == expected * 2

    check()
    assert model.append(layers[3]) is model
    expected.append(layers[3])
    check()
    for i, layer in ((0, layers[4]), (-1, layers[5]), (99, layers[6])):
        model.insert(i, layer)
        expected.insert(i, layer)
        check()
    model[1], model[-1] = layers[7], layers[8]
    expected[1], expected[-1] = layers[7], layers[8]
    check()
    del model[0], model[-1], model[1:3]
    del expected[0], expected[-1], expected[1:3]
    check()
    assert model.pop() is expected.pop()
    assert model.pop(0) is expected.pop(0)
    check()
    assert model.extend(layers[:2]) is model
    model += layers[2:3]
    expected += layers[:3]
    check()
    assert layers[1] in model
    assert layers[8] not in model
    for wrong in (len(model), -len(model) - 1):
        with pytest.raises(IndexError, match="there is no index"):
            model[wrong]
        with pytest.raises(IndexError):
            model[wrong] = layers[0]
        with pytest.raises(IndexError):
            del model[wrong]
    with pytest.raises(DTypeError, match="an index must be an integer"):
        model["0"]
    with pytest.raises(DTypeError, match=r"layer 0: .* is a class"):
        model[0] = nn.ReLU
    check()


def test_a_changed_sequential_computes_what_its_layers_say():
    model = nn.Sequential(nn.ReLU())
    model.append(nn.Flatten(0))
    model[0] = nn.Identity()
    np.testing.assert_array_equal(model(Tensor(-np.ones((2, 2)))).data, -np.ones(4))


def test_names_that_were_given_stay_and_numbers_follow_the_place():
    model = nn.Sequential(OrderedDict(stem=linear(), head=linear()))
    model.insert(1, linear())
    assert [name for name, _ in model.named_children()] == ["stem", "1", "head"]
    del model[0]
    assert [name for name, _ in model.named_children()] == ["0", "head"]


def test_what_is_appended_renames_nothing_and_replaces_nothing():
    a = linear()
    b = nn.ReLU()
    c = linear()
    d = nn.Tanh()
    model = nn.Sequential({"1": a, "0": b}).append(c)  # in torch likewise
    assert dict(model.named_children()) == {"1": a, "0": b, "2": c}
    assert list(model) == [a, b, c]
    model.insert(0, d)  # 0 is taken
    assert [(name, module) for name, module in model.named_children()] == [("2", d), ("1", a), ("0", b), ("3", c)]
    part = nn.Sequential(a, b, c)[1:].append(d)  # of a slice that keeps its names; torch replaces c
    assert list(part.named_children()) == [("1", b), ("2", c), ("3", d)]


@pytest.mark.parametrize(
    "put",
    [
        lambda model: model.append(model),
        lambda model: model.insert(0, model),
        lambda model: model.extend([nn.ReLU(), model]),
        lambda model: model.__setitem__(0, model),
        lambda model: model.append(nn.Sequential(nn.ReLU(), nn.ModuleList([model]))),
        lambda model: setattr(model, "head", model),
        lambda model: setattr(model[0], "parent", model),
        lambda model: model.add_module("2", nn.ModuleDict({"a": model})),
    ],
)
def test_a_module_is_no_part_of_itself(put):
    model = nn.Sequential(nn.Sequential(linear()), linear())
    layers = list(model)
    with pytest.raises(OptionError, match=r"would make this Sequential a part of itself; .*weakref\.ref"):
        put(model)
    assert list(model)[:2] == layers
    assert model not in list(model.modules())[1:]
    repr(model)


def test_slices_and_sums_share_the_layers():
    model = nn.Sequential(*[nn.Linear(1, i + 1) for i in range(4)])
    assert next(iter(model[1:3].state_dict())) == "1.weight"  # as in torch, so that they load from the same file
    assert list(model[1:3]) == list(model)[1:3]
    assert isinstance(model[1:3], nn.Sequential)
    with pytest.raises(IndexError):
        model[4]
    assert list(model[:1] + model[2:]) == [model[0], model[2], model[3]]
    layers = nn.ModuleList(model)
    assert isinstance(layers[::2], nn.ModuleList)
    assert list(layers[::2].state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_containers_without_an_order_have_no_forward():
    with pytest.raises(NotImplementedError, match=r"ModuleList has no forward\(\)"):
        nn.ModuleList([linear()])(1)


def test_a_module_dict_is_a_dict_whose_modules_are_found():
    paths = nn.ModuleDict({"left": linear()})
    paths["right"] = nn.ReLU()
    paths.update(OrderedDict(middle=linear()))
    assert list(paths) == list(paths.keys()) == ["left", "right", "middle"]
    assert len(paths) == 3
    assert "left" in paths
    assert "top" not in paths
    assert paths["right"] is paths.right
    assert next(iter(paths.values())) is paths["left"]
    del paths["right"]
    assert list(paths.state_dict()) == ["left.weight", "left.bias", "middle.weight", "middle.bias"]
    for look in (lambda: paths["right"], lambda: paths.__delitem__("training")):
        with pytest.raises(KeyError):
            look()
    for bad in ({"a": nn.ReLU}, {"a.b": nn.ReLU()}, {3: nn.ReLU()}, {"keys": nn.ReLU()}):
        with pytest.raises((DTypeError, OptionError)):
            paths.update(bad)


def test_a_slice_is_not_set_and_says_what_to_write():
    for layers in (nn.Sequential(nn.ReLU(), nn.ReLU()), nn.ModuleList([nn.ReLU(), nn.ReLU()])):
        with pytest.raises(DTypeError, match=r"set one at a time, got a slice; delete it \(del layers\[1:\]\)"):
            layers[1:] = []
        assert len(layers) == 2


def test_a_module_list_and_a_list_are_joined_and_share_their_modules():
    first = linear()
    second = linear()
    layers = nn.ModuleList([first])
    joined = layers + [second]
    assert isinstance(joined, nn.ModuleList)
    assert list(joined) == [first, second]
    assert len(layers) == 1


def test_modules_are_taken_out_of_a_module_dict():
    left = linear()
    paths = nn.ModuleDict({"left": left, "right": linear()})
    assert paths.pop("left") is left
    assert list(paths) == ["right"]
    with pytest.raises(KeyError):
        paths.pop("left")
    paths.clear()
    assert (len(paths), list(paths.parameters())) == (0, [])

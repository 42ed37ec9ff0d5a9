"""The parts of a run, made from its Config: device, data, network, optimizer and learning rate schedule."""

import copy
from dataclasses import replace

import numpy as np

from minires import cuda, data, models, optim
from minires.arrays import to_device
from minires.errors import OptionError, ShapeError
from minires.mode import no_grad
from minires.nn.loading import head_names
from minires.tensor import Tensor
from minires.train.config import Config
from minires.train.freezing import freeze, train_mode
from minires.train.pretrained import how_to_cut

MOMENTUM = 0.9


def use_device(config):
    """Make the run's GPU the current one, if it has one. Raises OptionError if there is no such GPU."""
    if config.device.startswith("cuda"):
        to_device(np.zeros(1), config.device).device.use()
        cuda.allow_tf32(config.tf32)
    elif config.tf32:
        raise OptionError("tf32 is for a GPU: add --device cuda")


def load_data(config):
    """(training set, test set), each with at most config.limit images."""
    splits = data.load(config.dataset, config.data or None, config.size or None, **how_to_cut(config))
    if config.limit:
        return [split.limit(min(config.limit, len(split))) for split in splits]
    return splits


def complete(config, train_set, ranks=1):
    """The Config with the image size of the data set, and with a batch size that is not larger than the data set.

    Raises OptionError where processes, ranks or parts of a batch would be without images.
    """
    batch_size = config.batch_size
    if batch_size == Config.batch_size:  # the default
        batch_size = min(batch_size, len(train_set))
    if config.processes > batch_size:
        raise OptionError(
            f"processes must be at most the batch_size, {batch_size}, because each takes an "
            f"image or more, got {config.processes}"
        )
    if ranks > 1 and config.processes > 1:
        raise OptionError(f"processes must be 1 where mpiexec starts {ranks} ranks; start more ranks instead")
    if ranks > max(1, batch_size // config.accumulate // (1 if config.sync_norm else 2)):
        at_least = "one image" if config.sync_norm else "two images"
        raise OptionError(
            f"mpiexec starts {ranks} ranks, and a batch_size of {batch_size} in {config.accumulate} parts gives some "
            f"of them less than {at_least} at a time; start fewer ranks, or take a larger --batch-size"
        )
    if config.accumulate > max(1, batch_size // 2):
        raise OptionError(
            f"accumulate must be at most half the batch_size, {batch_size}, because each part has two images or more, "
            f"got {config.accumulate}"
        )
    return replace(config, size=train_set.shape[-1], batch_size=batch_size)


def make_model(config, train_set):
    """The network, with new weights from the seed, on the run's device."""
    options = models.read_options(config.model_options)
    taken = sorted({"num_classes", "in_channels", "rng"} & options.keys())
    if taken:
        raise OptionError(f"model_options: {taken[0]} follows from the data and the seed; leave it out")
    options |= {"num_classes": len(train_set.classes), "in_channels": train_set.shape[0], "rng": config.seed}
    try:
        model = models.create(config.model, **options)
    except TypeError as error:
        raise OptionError(f"model_options: {error}") from error
    freeze(model, config.freeze)
    return model.to(config.device)


def make_optimizer(config, model):
    """The optimizer, with a group of parameters for each learning rate and weight decay that there is."""
    head = head_names(model) if config.head_lr != config.lr else []
    groups = {}
    for name, p in model.named_parameters():
        lr = config.head_lr if name in head else config.lr
        decay = config.weight_decay if config.decay_norms or is_weight(name, p) else 0.0
        groups.setdefault((lr, decay), []).append(p)
    params = [
        {"params": params, "weight_decay": decay, **({} if lr == config.lr else {"lr": lr})}
        for (lr, decay), params in groups.items()
    ]
    if config.optimizer == "adamw":
        return optim.AdamW(params, config.lr, weight_decay=config.weight_decay)
    return optim.SGD(params, config.lr, momentum=MOMENTUM, weight_decay=config.weight_decay)


def is_weight(name, parameter):
    """Whether a parameter multiplies features: no bias, no γ or β of a norm, no class token or position of a ViT."""
    return name.endswith("weight") and parameter.ndim > 1


def make_mix(config, classes):
    """(images, labels, rng) -> images and targets. Without mixup and label smoothing labels stay class numbers."""
    if not (config.mixup or config.label_smoothing):
        return lambda images, labels, rng: (images, labels)
    return data.mixup(config.mixup, classes, config.label_smoothing)


def make_loader(config, model, train_set):
    """The batches of the run."""
    return data.ArrayLoader(
        train_set,
        config.batch_size,
        seed=config.seed,
        shuffle=True,
        transform=make_transform(train_set, config.augment, bool(how_to_cut(config))),
        drop_last=must_drop_last(config, model, train_set),
    )


def make_transform(dataset, augment, is_cut=False):
    """What happens to a batch of images: augmentation, if asked for, then normalization.

    is_cut: the data set cuts out random parts itself, so that images are only flipped.
    The border is an eighth of the image, at most 4 pixels. With a wider one crops of small images are all black, and in
    a batch of such images the gradient grows by 1/√ε at each batch norm.
    """
    normalize = data.normalize(dataset.mean, dataset.std)
    if not augment:
        return normalize
    if is_cut:
        return data.compose(data.random_horizontal_flip(), normalize)
    size = dataset.shape[1:]
    crop = data.random_crop(size, padding=min(4, min(size) // 8))
    if dataset.name == "digits":  # a flipped 2 is no 2
        return data.compose(crop, normalize)
    return data.compose(crop, data.random_horizontal_flip(), normalize)


def make_schedule(config, steps):
    """lr(step) for a run of so many steps. Multistep divides by 10 at 1/2 and 3/4, as He et al. 2015, §4.2."""
    steps = max(steps, 1)
    if config.schedule == "one_cycle":
        return optim.one_cycle(config.lr, total_steps=steps)
    if config.schedule == "multistep":
        return optim.multistep(config.lr, milestones=(steps // 2, steps * 3 // 4))
    if config.schedule == "cosine":
        return optim.cosine(config.lr, T_max=steps)
    return optim.constant(config.lr)


def must_drop_last(config, model, train_set):
    """Whether the last batch of an epoch must be left out: it is one image, and the network cannot train on one.

    Batch norm needs two values a channel, and one image has only one when its feature maps have shrunk to 1×1. The
    images are shuffled, so each epoch leaves out another one. Raises OptionError if every batch is one image.
    """
    size = config.batch_size
    if size > 1 and len(train_set) % size != 1:
        return False
    trial = copy.deepcopy(model)  # a copy, because forward() draws random numbers and counts batches
    train_mode(trial, config.freeze)
    try:
        with no_grad():
            trial(Tensor(to_device(np.zeros((1, *train_set.shape), np.float32), config.device)))
    except ShapeError as error:
        if size == 1:
            remedy = "use a --batch-size of at least 2" if len(train_set) > 1 else "train on more than one"
            raise OptionError(
                f"{config.model} cannot train on one image of {train_set.shape} at a time ({error}); {remedy}"
            ) from error
        return True
    return False

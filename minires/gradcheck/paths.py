"""The residual path made visible: what reaches each block's input through the shortcut, and what through the branch."""

from minires import data, models
from minires.arrays import to_device
from minires.console import Table
from minires.errors import OptionError
from minires.plots import plot_paths
from minires.probes import branch_by_jvp, residual_paths

PATHS = {"block": 9, "‖g‖": -7, "identity": -8, "branch": -7, "cosine": -6, "sum−dx": -7, "JVP": -7, "∂L/∂x =": 14}
TOLERANCE = 1e-12
LEGEND = """\
g = ∂L/∂H arrives at the block's output H. m = mask ⊙ g passes the ReLU after
the add, if there is one. identity, branch: the norms of the parts of ∂L/∂x
that come through the shortcut and through F; J_F = ∂F/∂x.
sum−dx: ‖identity + branch − ∂L/∂x‖/‖∂L/∂x‖, ∂L/∂x as the whole network's
backward gives it.
JVP: the branch's part against Jacobian-vector products by the complex step."""


def show_paths(name, dataset="digits", *, variant=None, batch_size=64, seed=0, plot=None, device="cpu", quiet=False):
    """Print the table of a freshly initialized network on real images; draw it, if asked. -> whether all of it holds

    Raises OptionError for a network without blocks.
    """
    train, _ = data.load(dataset)
    train = train.limit(min(batch_size, len(train)))
    images, labels = (to_device(a, device) for a in next(iter(data.ArrayLoader(train, len(train)))))

    def paths_of(name, **options):
        model = models.create(name, in_channels=train.shape[0], num_classes=len(train.classes), rng=seed, **options)
        paths = residual_paths(model.to(device), images, labels)
        if not paths:
            raise OptionError(f"{name} has no residual blocks")
        return paths

    try:
        paths = paths_of(name, **({"variant": variant} if variant else {}))
    except TypeError:
        if not variant:
            raise
        raise OptionError(f"{name} has no bottlenecks, so no variant; resnet50 has") from None
    table = Table(PATHS, quiet)
    worst = 0.0
    for i, path in enumerate(paths):
        jvp = branch_by_jvp(path, rng=[seed, i])
        worst = max(worst, path.rounding, jvp)
        identity = "-" if path.identity is None else norm(path.identity)
        cosine = "-" if path.cosine is None else f"{path.cosine:.3f}"
        table.row(
            path.name,
            norm(path.upstream),
            identity,
            norm(path.branch),
            cosine,
            f"{path.rounding:.1e}",
            f"{jvp:.1e}",
            path.formula.replace("(mask ⊙ g)", "m"),
        )
    if not quiet:
        print(f"\n{LEGEND}")
    if plot:
        plot_paths({name: paths, **_twin(name, paths_of)}, plot)
        print(plot)
    passed = worst <= TOLERANCE
    print(
        f"{'ok' if passed else 'FAILED'}: {len(paths)} blocks of {name} on {len(train)} images of {train.name}, "
        f"worst difference {worst:.1e} (allowed {TOLERANCE:g})"
    )
    return passed


def norm(value):
    """Three digits, or two where there is no room for three."""
    text = f"{value:.3g}"
    return text if len(text) <= 7 else f"{value:.2g}"


def _twin(name, paths_of):
    """{name: paths} of the same network without shortcuts, or with none if it is plain itself."""
    if name.startswith("plain"):
        return {}
    twin = f"plain{name.rpartition('resnet')[2]}"
    if twin in models.names():
        return {twin: paths_of(twin)}
    return {f"{name} without shortcuts": paths_of(name, shortcut=None)}

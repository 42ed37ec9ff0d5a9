"""The residual path made visible: what reaches each block's input through the shortcut, and what through the branch."""

from minires import data, models
from minires.arrays import to_device
from minires.errors import OptionError
from minires.gradcheck.tables import Table
from minires.plots import plot_paths
from minires.probes import branch_by_jvp, residual_paths

PATHS = {"block": 10, "‖g‖": -9, "identity": -9, "branch": -9, "cosine": -7, "sum − dx": -9, "JVP": -9, "∂L/∂x =": 24}
TOLERANCE = 1e-12
LEGEND = """\
g = ∂L/∂H, arriving at the block's output H; mask: where the ReLU after the add lets it through;
identity, branch: the parts of ∂L/∂x that come through the shortcut and through F; J_F = ∂F/∂x;
sum − dx: ‖identity + branch − ∂L/∂x‖/‖∂L/∂x‖, ∂L/∂x as the whole network's backward gives it;
JVP: the branch part against Jacobian-vector products by the complex step, no backward involved."""


def show_paths(name, dataset="digits", *, variant=None, batch_size=64, seed=0, plot=None, device="cpu", quiet=False):
    """Print the table of a freshly initialised network on real pictures; draw it, if asked. -> whether all of it holds

    Raises OptionError for a network without blocks.
    """
    train, _ = data.load(dataset)
    train = train.limit(min(batch_size, len(train)))
    images, labels = (to_device(a, device) for a in next(iter(data.Loader(train, len(train)))))

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
    table, worst = Table(PATHS, quiet), 0.0
    for i, path in enumerate(paths):
        jvp = branch_by_jvp(path, rng=[seed, i])
        worst = max(worst, path.rounding, jvp)
        identity = "-" if path.identity is None else f"{path.identity:.3g}"
        cosine = "-" if path.cosine is None else f"{path.cosine:.3f}"
        table.row(path.name, f"{path.upstream:.3g}", identity, f"{path.branch:.3g}", cosine, f"{path.rounding:.1e}",
                  f"{jvp:.1e}", path.formula)
    if not quiet:
        print(f"\n{LEGEND}")
    if plot:
        plot_paths({name: paths, **_twin(name, paths_of)}, plot)
        print(plot)
    passed = worst <= TOLERANCE
    print(f"{'ok' if passed else 'FAILED'}: {len(paths)} blocks of {name} on {len(train)} pictures of {train.name}, "
          f"worst difference {worst:.1e} (allowed {TOLERANCE:g})")
    return passed


def _twin(name, paths_of):
    """{name: paths} of the same network without shortcuts, or with none if it is plain itself."""
    if name.startswith("plain"):
        return {}
    twin = f"plain{name.rpartition('resnet')[2]}"
    if twin in models.names():
        return {twin: paths_of(twin)}
    return {f"{name} without shortcuts": paths_of(name, shortcut=None)}

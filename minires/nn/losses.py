"""Losses as layers. Names and arguments as in torch.nn; see the ops of the same names for the equations."""

from minires import ops
from minires.annotations import Array, TensorLike
from minires.arrays import check_numbers, is_array
from minires.errors import DTypeError
from minires.nn.checks import one_of, whole
from minires.nn.module import Module
from minires.settings import in_range
from minires.tensor import Tensor, unwrap


class _Loss(Module):
    """reduction: "mean", "sum" or "none" of the samples' losses."""

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = one_of(reduction, ("mean", "sum", "none"), "reduction", type(self).__name__)

    def _register_weights(self, name, weight):
        """Register weights (an array, a Tensor or None) as a buffer, so that they move with the network."""
        weight = unwrap(weight)
        if is_array(weight):
            check_numbers(weight, f"{type(self).__name__}: {name}")
        if weight is not None and (not is_array(weight) or weight.dtype.kind == "c"):
            raise DTypeError(
                f"{type(self).__name__}: {name} must be an array of numbers, got "
                f"{getattr(weight, 'dtype', type(weight).__name__)}; a reduction is given by name"
            )
        self.register_buffer(name, weight)


class NLLLoss(_Loss):
    """−log_p[target], weighted and averaged; see ops.nll_loss.

    weight: one for each class. ignore_index: samples with this target are ignored.
    """

    weight: Array  # of the classes, or None

    def __init__(self, weight: TensorLike | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self._register_weights("weight", weight)
        self.ignore_index = whole(ignore_index, "ignore_index", type(self).__name__, None)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        return ops.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(NLLLoss):
    """−log softmax(logits)[target], weighted and averaged; see ops.cross_entropy.

    weight: one for each class. ignore_index: samples with this target are ignored. label_smoothing: from 0 to 1.
    """

    def __init__(
        self,
        weight: TensorLike | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction)
        self.label_smoothing = in_range("CrossEntropyLoss: label_smoothing", label_smoothing, 0, 1)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        return ops.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )


class BCEWithLogitsLoss(_Loss):
    """−t·log σ(x) − (1 − t)·log(1 − σ(x)); see ops.binary_cross_entropy_with_logits."""

    weight: Array  # of the elements, or None
    pos_weight: Array

    def __init__(
        self, weight: TensorLike | None = None, *, reduction: str = "mean", pos_weight: TensorLike | None = None
    ) -> None:
        super().__init__(reduction=reduction)
        self._register_weights("weight", weight)
        self._register_weights("pos_weight", pos_weight)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        return ops.binary_cross_entropy_with_logits(
            input, target, weight=self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class MSELoss(_Loss):
    """(input − target)²"""

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        return ops.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """|input − target|"""

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        return ops.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """½(input − target)²/beta where |input − target| < beta, else |input − target| − ½beta"""

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = in_range("SmoothL1Loss: beta", beta, 0)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        return ops.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)

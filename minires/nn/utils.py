"""torch.nn.utils's names: clip_grad_norm_ and clip_grad_value_, which are in minires.optim."""

from minires.optim import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_"]

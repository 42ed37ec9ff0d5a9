"""The gradient of a large batch, from parts of it that fit into memory."""


def accumulated(gradients, parameters, images, targets, parts):
    """(mean loss, number of correct images) of a batch that is computed in parts; ∂L/∂w in each .grad.

    L = Σ_p n_p/N·L_p with the mean loss L_p of the n_p images of part p, so ∂L/∂w = Σ_p n_p/N·∂L_p/∂w. The shares make
    it the mean over all N images where the last part is smaller.
    gradients(images, targets) -> (mean loss, number of correct images), with ∂L_p/∂w in each .grad.
    A part has two images or more if the batch has, because batch norm needs two.
    """
    N = len(images)
    parts = max(1, min(parts, N // 2))
    if parts == 1:
        return gradients(images, targets)
    sums = [None] * len(parameters)
    loss = 0.0
    correct = 0
    for start, stop in _bounds(N, parts):
        share = (stop - start) / N
        loss_of_part, correct_of_part = gradients(images[start:stop], targets[start:stop])
        loss = loss + share * loss_of_part
        correct = correct + correct_of_part
        for i, p in enumerate(parameters):
            if p.grad is not None:  # a block that stochastic depth left out has none
                dw = p.grad * share  # a new array, because the next part overwrites .grad
                sums[i] = dw if sums[i] is None else sums[i] + dw
    for p, dw in zip(parameters, sums):
        p.grad = dw
    return loss, correct


def _bounds(N, parts):
    """(start, stop) of each part. The larger ones come first, because Replicas start again for a larger batch."""
    size, larger = divmod(N, parts)
    stop = 0
    for k in range(parts):
        start = stop
        stop = start + size + (k < larger)
        yield start, stop

"""The threads of those whose products NumPy's BLAS makes; minires holds it to one, for workers of its own."""


def of_blas(n):
    """As many from now on."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(n, user_api="blas")

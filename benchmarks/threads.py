"""The threads of libraries that use NumPy's BLAS; minires limits it to one, because it has a thread pool of its own."""


def of_blas(n):
    """Let the BLAS use n threads from now on."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(n, user_api="blas")

"""The BLAS under NumPy for those who share it with minires, which holds it to one thread for its own workers."""

from functools import wraps

from minires import kernels


def blas_threads(step):
    """step, run with as many BLAS threads as minires has workers."""
    @wraps(step)
    def with_threads():
        n = kernels.get_num_threads()
        if n == 1:
            return step()
        from threadpoolctl import threadpool_limits  # more than one worker means that it is there
        with threadpool_limits(n, user_api="blas"):
            return step()
    return with_threads

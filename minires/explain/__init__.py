"""Where a network looks: maps that say which part of an image made it think of a class.

>>> from minires.explain import grad_cam
>>> grad_cam(model, image, 310, "layer4")
"""

from minires.explain.maps import grad_cam, last_map, occlusion, squares

__all__ = ["grad_cam", "last_map", "occlusion", "squares"]

"""A network for other programs: as ONNX, which onnxruntime and others run, or as a Python file for PyTorch.

>>> from minires import export, models
>>> model = models.resnet18()
>>> model.load("resnet18.pth")
>>> recording = export.record(model, (3, 224, 224))
>>> export.save_onnx("resnet18.onnx", recording)

recording.py runs the network and lists the ops that it called. onnx_rows.py and torch_rows.py say what stands for each.
"""

from minires.export.onnx_graph import save_onnx, to_onnx
from minires.export.recording import Recording, record
from minires.export.torch_file import to_torch

__all__ = ["Recording", "record", "save_onnx", "to_onnx", "to_torch"]

"""The attributes of a layer: those with a known name are looked at, the others cost nothing."""

from minires.gradcheck.__main__ import main

LAYER = """
import time
class Linear:
    def __init__(self, w, b):
        for k in range(400):
            setattr(self, f"a{k}", k)
        self.w, self.b = w, b
    def __getattribute__(self, name):
        if name[0] == "a" and name[1:].isdigit():
            time.sleep(5)
        return object.__getattribute__(self, name)
    def forward(self, x):
        self.x = x
        return x @ self.w.T + self.b
    def backward(self, dy):
        self.dw = dy.T @ self.x
        self.db = dy.sum(0)
        return dy @ self.w
"""


def test_what_lies_behind_hundreds_of_other_attributes_is_found(tmp_path, capsys):
    (tmp_path / "hw.py").write_text(LAYER)
    assert main([f"{tmp_path / 'hw.py'}:Linear"]) == 0, capsys.readouterr().out

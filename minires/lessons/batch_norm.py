"""The exercises of lesson 3: batch normalisation and its backward."""

from minires.lessons.op_exercise import OpExercise

batch_norm = OpExercise(
    "3.1",
    op="batch_norm",
    call="batch_norm(x, weight, bias, eps=1e-5)",
    asks="Batch norm in training with its backward: x (N,C,H,W) -> (y, backward), where backward(dy) gives dx, "
    "dweight and dbias.",
)

"""A name that says forward and backward is no name of a backward alone, which would be half of the work."""

import pytest

from minires.gradcheck.grading.names import looks_backward

BOTH = """
loss_and_grad value_and_grad relu_forward_backward tanh_with_grad grad_and_loss lossAndGrad forward_and_backward fwd_bwd
forwardBackward compute_loss_and_gradients loss_with_gradient cost_and_grad conv_with_backward lossandgrad f_and_fprime
valueAndGradient backward_and_forward backward_forward grads_and_loss gradient_with_value relu_and_its_gradient
forward_backprop loss_grad_and_value relu_plus_grad
"""
ALONE = """
relu_backward conv_backward_naive affine_relu_backward softmax_with_loss_backward backward_softmax_with_loss loss_grad
softmax_cross_entropy_with_logits_grad expand_backward expand_grad conv_and_relu_backward linear_with_bias_backward
operand_grad sigmoid_prime backwardConv reluBackward grad_relu conv_bwd batchnorm_backward_alt grad_of_loss
loss_backward pool_backward_without_padding conv_backward_with_stride add_and_norm_backward backward_and_update
relu_forward_grad relu_derivative backprop
"""


@pytest.mark.parametrize("name", BOTH.split())
def test_a_name_of_both_asks_for_both(name):
    assert not looks_backward(name)


@pytest.mark.parametrize("name", ALONE.split())
def test_a_name_of_a_backward_asks_for_no_forward(name):
    assert looks_backward(name)

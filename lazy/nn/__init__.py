"""Functions that neural networks are made of. Signatures are those of jax.nn."""
from . import initializers                                                                           # noqa: F401
from .activations import (celu, elu, gelu, glu, hard_sigmoid, hard_silu, hard_swish, hard_tanh, identity,  # noqa: F401
                          leaky_relu, log1mexp, log_sigmoid, mish, relu, relu6, selu, sigmoid, silu, soft_sign,
                          softplus, sparse_plus, sparse_sigmoid, squareplus, swish, tanh)
from .attention import dot_product_attention                                                        # noqa: F401
from .normalize import log_softmax, logmeanexp, logsumexp, one_hot, softmax, standardize              # noqa: F401
from .scaled import get_scaled_dot_general_config, scaled_dot_general, scaled_matmul                  # noqa: F401

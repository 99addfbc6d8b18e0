"""JAX by the names that ftrans gives to the same things."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.experimental.jet import jet

library = SimpleNamespace(
    **{name: getattr(jnp, name) for name in ("cos", "exp", "ones_like", "sin", "stack", "sum", "where")},
    **{name: getattr(jnp, name) for name in ("array", "vectorize", "zeros_like")},
    **{name: getattr(jax, name) for name in ("checkpoint", "custom_gradient", "custom_jvp", "custom_vjp")},
    **{
        name: getattr(jax, name)
        for name in ("grad", "hessian", "jacfwd", "jacrev", "jit", "jvp", "linearize")
    },
    **{name: getattr(jax, name) for name in ("vjp", "vmap")},
    **{name: getattr(jax.lax, name) for name in ("associative_scan", "cond", "custom_linear_solve")},
    **{
        name: getattr(jax.lax, name) for name in ("custom_root", "fori_loop", "map", "psum", "scan", "switch")
    },
    while_loop=jax.lax.while_loop,
    custom_vmap=custom_vmap,
    hvp=lambda f, primals, tangents: jax.jvp(jax.grad(f), primals, tangents)[1:],
    jet=jet,
)

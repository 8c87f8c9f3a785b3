"""Errors of the compiler that users see as `lazy.errors`; the compiler imports nothing of lazy but lazy.ir."""


class FusionError(ValueError):
    """`fuse` was asked for one kernel of what can't be one kernel. The message has the reasons and the user's lines."""


class FusionWarning(UserWarning):
    """What was to be fused has become several kernels: with `strict=False`, or in a derivative of a fused function."""


class TypePromotionError(ValueError):
    """Types that can't be combined. Public as lazy.dtypes.TypePromotionError."""


for _class in (FusionError, FusionWarning):
    _class.__module__ = 'lazy.errors'
TypePromotionError.__module__ = 'lazy.dtypes'

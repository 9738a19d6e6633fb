"""Optional packages: import them where they are used, and say how to install what is absent."""

from importlib import import_module


def require(module, extra):
    """Import `module`, or raise an ImportError that names the extra which brings it.

    Parameters
    ----------
    module : str
        Dotted name of the module, for example ``"matplotlib.pyplot"``.
    extra : str
        The extra of this package that installs it.

    Returns
    -------
    module
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{package} is needed for this and is not installed; run: pip install 'anmf[{extra}]'"
        ) from error

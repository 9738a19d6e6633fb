"""Networks that the tests share."""

from anmf.deep import Network, layer


def gated_conv(n_in, n_out, dilation=1):
    """Convolution of three taps and a gate."""
    conv = layer("conv", "conv", n_in=n_in, n_out=2 * n_out, dilation=dilation)
    return [conv, layer("gate", "glu")]


def surrogate_net(n_in=82, width=96, n_out=120):
    """Gated convolutions of growing reach, two of them residual, then zeros to start from."""
    return Network(
        [
            *gated_conv(n_in, width),
            layer("near", "residual", network=Network(gated_conv(width, width, 2))),
            layer("far", "residual", network=Network(gated_conv(width, width, 4))),
            layer("out", "dense", n_in=width, n_out=n_out, start="zeros"),
        ]
    )


def gated_block(width, hidden, dilation):
    """x + W₂ · GLU(W₁ · depthwise(norm x))."""
    inner = [
        layer("norm", "norm", n_channels=width),
        layer("mix", "depthwise", n_channels=width, dilation=dilation),
        layer("up", "dense", n_in=width, n_out=2 * hidden),
        layer("gate", "glu"),
        layer("down", "dense", n_in=hidden, n_out=width, start="half"),
    ]
    return Network(inner)


def trunk(n_in=645, width=128, hidden=192, dilations=(1, 2, 4, 8, 16, 32, 64, 1)):
    blocks = [
        layer(f"block{i}", "residual", network=gated_block(width, hidden, d))
        for i, d in enumerate(dilations)
    ]
    return [
        layer("in", "dense", n_in=n_in, n_out=width),
        *blocks,
        layer("norm", "norm", n_channels=width),
    ]


def heads(width=128, n_bins=129, size=16):
    return layer(
        "heads",
        "heads",
        networks={
            "embedding": Network(
                [
                    layer("dense", "dense", n_in=width, n_out=n_bins * size),
                    layer("unit", "unit", size=size),
                ]
            ),
            "masks": Network(
                [
                    layer("dense", "dense", n_in=width, n_out=2 * n_bins),
                    layer("softmax", "softmax", size=2),
                ]
            ),
        },
    )

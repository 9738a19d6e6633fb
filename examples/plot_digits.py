"""
Take overlaid digits apart
==========================

Two handwritten digits are printed on top of each other. From images of each digit alone,
:class:`anmf.NMF_separation` learns one basis a digit; it then takes new mixtures apart.
"""

# %%
# Five lines
# ----------
# Rows of ``X_train`` are images of single digits, and ``y_train`` says which. The mixtures in
# ``X_test`` are made of other images.

from anmf import NMF_separation
from anmf.datasets import load_digit_mixtures

data = load_digit_mixtures(digits=(0, 1), n_mixtures=100, random_state=0)
model = NMF_separation(n_components=32, random_state=0).fit(data.X_train, data.y_train)
parts = model.separate(data.X_test)

print("parts:", parts.shape, "- mixtures, digits, pixels")
print(f"mean PSNR of the parts: {model.score(data.X_test, data.parts_test):.1f} dB")

# %%
# The parts share the mixture out: they sum to it.

import numpy as np

print("largest difference:", np.abs(parts.sum(axis=1) - data.X_test).max())

# %%
# What came apart
# ---------------
# Each row is one mixture, then the truth, then the estimate with its peak signal-to-noise ratio.

import matplotlib.pyplot as plt

from anmf.plotting import plot_components, plot_objective, plot_separation

fig = plot_separation(
    data.X_test, data.parts_test, parts, data.image_shape, n_examples=4, labels=data.digits
)

# %%
# What was learnt
# ---------------
# The components of each basis are typical shapes of one digit. A basis can put its own digit
# together from them, but hardly the other one: that is why separation works.

fig, axes = plt.subplots(1, 2, figsize=(9, 4.8), layout="constrained")
for ax, basis, digit in zip(axes, model.bases_, data.digits, strict=True):
    plot_components(basis, data.image_shape, ax=ax)
    ax.set_title(f"basis of digit {digit}")

# %%
# How it was learnt
# -----------------
# The objective never rises. More components fit the training images better; whether they also
# separate better is for held-out mixtures to say.

sizes = (8, 32, 64)
models = [
    NMF_separation(k, random_state=0).fit(data.X_train, data.y_train) for k in sizes
]  # fmt: skip
scores = [model.score(data.X_test, data.parts_test) for model in models]
plot_objective(
    models, [f"{k} components: {score:.1f} dB" for k, score in zip(sizes, scores, strict=True)]
)
plt.show()

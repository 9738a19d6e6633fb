"""
Tune it
=======

:func:`anmf.nmf.tune` draws parameters at random, cross-validates each draw, and keeps the best. It
is scikit-learn's ``RandomizedSearchCV`` with a search space and folds made for separation.
"""

# %%
# A search in one line
# --------------------
# Labelled rows of the digits 3 and 8 are all it needs: every fold is mixed, separated and compared.
# What isn't searched stays as the estimator has it. Without ``verbose=0``, a progress bar shows the
# best score so far.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from anmf import NMF_separation
from anmf.datasets import load_digit_mixtures
from anmf.nmf import search_space, tune

data = load_digit_mixtures(digits=(3, 8), n_mixtures=200, random_state=0)
X, y = data.X_train, data.y_train
model = NMF_separation(32, method="anmf", random_state=0)
search = tune(model, X, y, n_iter=40, random_state=0, verbose=0)
print("best:", {name: round(float(value), 3) for name, value in search.best_params_.items()})
print(f"in cross-validation: {search.best_score_:.2f} dB")

# %%
# Report a score on data that the search hasn't seen
# --------------------------------------------------
# The best of many scores is a little too good. ``best_estimator_`` is fitted on all rows.

held_out = data.X_test, data.parts_test
print(f"new mixtures, tuned: {search.best_estimator_.score(*held_out):.2f} dB")
print(f"new mixtures, defaults: {model.fit(X, y).score(*held_out):.2f} dB")

# %%
# Change the search space
# -----------------------
# ``search_space`` returns the default one, of distributions. A list in the place of one is searched
# value by value: here plain NMF, which has no adversarial term, over the same range of sparsity.

space = search_space(model, X, y)
grid = {"alpha_H": np.geomspace(*space["alpha_H"].support(), 20)}
plain = tune(NMF_separation(32, random_state=0), X, y, param_distributions=grid, n_iter=20,
             random_state=0, verbose=0)  # fmt: skip
print(f"plain NMF in cross-validation: {plain.best_score_:.2f} dB")

# %%
# Sparsity matters, the adversarial weight must be small
# ------------------------------------------------------
# ``cv_results_`` holds the score of every candidate.

results = search.cv_results_
columns = ("param_alpha_H", "param_adversarial_weight", "mean_test_score")
sparsity, weight, score = (np.asarray(results[name], dtype=float) for name in columns)
best = search.best_index_
order = np.argsort(plain.cv_results_["param_alpha_H"])  # candidates are drawn in any order

fig, ax = plt.subplots(figsize=(6.8, 4.4), layout="constrained")
ax.plot(plain.cv_results_["param_alpha_H"][order], plain.cv_results_["mean_test_score"][order],
        color="0.55", linewidth=1.5, zorder=1, label="plain NMF")  # fmt: skip
dots = ax.scatter(sparsity, score, c=weight, norm=LogNorm(0.01, 0.5), cmap="plasma", s=45,
                  edgecolor="0.25", linewidth=0.5, label="with an adversarial term")  # fmt: skip
ax.scatter(sparsity[best], score[best], s=170, facecolor="none", edgecolor="black", linewidth=1.3,
           label=f"best of these, {score[best]:.1f} dB")  # fmt: skip
ax.set(xscale="log", xlabel="sparsity alpha_H", ylabel="PSNR in cross-validation (dB)")
ax.set_title("40 random candidates for the separation of 3 and 8")
ax.spines[["top", "right"]].set_visible(False)
fig.legend(loc="outside lower center", ncols=3, frameon=False)
ticks = [0.01, 0.03, 0.1, 0.3]
bar = fig.colorbar(dots, label="adversarial_weight", ticks=ticks)
bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
bar.minorticks_off()
plt.show()

"""
Pipelines and grid search
=========================

:class:`anmf.NMF` and :class:`anmf.NMF_separation` are ordinary scikit-learn estimators: they fit
into pipelines, and cross-validation chooses their parameters.
"""

# %%
# Activations as features
# -----------------------
# ``NMF.transform`` describes an image by how much of each component it holds, which is enough to
# tell digits apart.

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from anmf import NMF, NMF_separation
from anmf.datasets import load_digit_mixtures

X, y = load_digits(return_X_y=True)
classifier = make_pipeline(
    MinMaxScaler(clip=True),  # new data may exceed the range seen in training; NMF needs X >= 0
    NMF(32, max_iter=50, tol=0, random_state=0),
    LogisticRegression(C=10, max_iter=2000),
)
accuracy = cross_val_score(classifier, X, y, cv=3)
print(f"accuracy with 32 features instead of 64: {accuracy.mean():.3f}")

# %%
# Parameters of a separation, from labels alone
# ---------------------------------------------
# ``score`` makes mixtures out of labelled rows when it gets no true parts, so `GridSearchCV` needs
# nothing but ``X`` and ``y``: each fold is mixed, separated and compared.

data = load_digit_mixtures(digits=(3, 8), random_state=0)
search = GridSearchCV(
    NMF_separation(random_state=0),
    {"n_components": [8, 16, 32], "alpha_H": [0.0, 0.03, 0.1, 0.3, 1.0]},
    cv=StratifiedKFold(4, shuffle=True, random_state=0),
)
search.fit(data.X_train, data.y_train)
print("best:", search.best_params_, f"with {search.best_score_:.2f} dB in cross-validation")
print(f"new mixtures: {search.score(data.X_test, data.parts_test):.2f} dB")

# %%
# Many components need sparsity
# -----------------------------
# Without it, a large basis also explains pixels of the other digit.

import matplotlib.pyplot as plt
import pandas as pd

results = pd.DataFrame(search.cv_results_)
table = results.pivot(
    index="param_n_components", columns="param_alpha_H", values="mean_test_score"
).astype(float)

fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
picture = ax.imshow(table, cmap="viridis", aspect="auto")
ax.set_xticks(range(table.shape[1]), table.columns)
ax.set_yticks(range(table.shape[0]), table.index)
ax.set(xlabel="sparsity alpha_H", ylabel="components of each digit")
ax.set_title("separation of 3 and 8 in cross-validation")
middle = (table.to_numpy().min() + table.to_numpy().max()) / 2
for (i, j), value in [((i, j), table.iat[i, j]) for i in range(3) for j in range(5)]:
    ax.text(j, i, f"{value:.1f}", ha="center", va="center", color="wk"[int(value > middle)])
fig.colorbar(picture, label="PSNR (dB)")
plt.show()

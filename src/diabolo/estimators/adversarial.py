"""Autoencoders that learn against a rival."""

from __future__ import annotations

from ..bottlenecks import Gaussian, Identity
from ..core.objective import Recipe
from ..core.parts import choice, parameters, within
from ..penalties import KL, CodeRival, OutputRival
from .variational import Generative, Variational


@parameters
class AdversarialAutoencoder(Generative):
    r"""Codes that a rival takes for draws of a prior: :math:`\min_{f,g} E_x[\ell(x, g(f(x))) - \lambda\log D(f(x))]`.

    Its rival, a small perceptron: :math:`\min_D -E_{z\sim p}\log D(z) - E_x\log(1 - D(f(x)))`.

    Parameters
    ----------
    weight : float, default 10
        :math:`\lambda`: nats for each nat of the rival's surprise.
    prior : {"normal", "uniform", "ring"}, default "normal"
        What the codes together should look like; see :class:`~diabolo.penalties.rivals.CodeRival`.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Adversarial Autoencoders, Makhzani, Shlens, Jaitly, Goodfellow and Frey, 2015, arXiv:1511.05644.

    >>> from diabolo import AdversarialAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> AdversarialAutoencoder(code_size=4, epochs=2, random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 64)
    """

    weight: float = within(default=10.0, low=0.0)
    prior: str = choice("normal", "uniform", "ring", default="normal")

    def recipe(self) -> Recipe:
        """A plain code, and a rival that holds it to the prior."""
        return Recipe(Identity(), CodeRival(self.weight, self.prior))


@parameters
class VAEGAN(Variational):
    r"""A VAE whose rival looks for blur: :math:`\min E_q[-\log p(x|z)] + \beta\,\mathrm{KL} + \lambda(A + \phi F)`.

    :math:`A = -E\log D(\hat x)` is what the rival is surprised by being told that what the decoder made is data, and
    :math:`F = -\log p(D_l(x)|D_l(\hat x))` how far apart the features are that it looks at. The rival:
    :math:`\min_D -E_x\log D(x) - E_{\hat x}\log(1 - D(\hat x))`, over reconstructions and decoded draws of the prior
    alike.

    Parameters
    ----------
    beta : float, default 1
        Price of a nat in the code.
    warmup : float in [0, 1], default 0.1
        Share of the training over which that price rises, against posterior collapse.
    weight : float, default 1
        :math:`\lambda`: sharpness against squared error.
    features : float, default 0.3
        :math:`\phi`: of the features' likelihood, in which they count as much as the cells do in the loss. 1 is the
        sharpest that squared error should be given up for.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Autoencoding beyond pixels using a learned similarity metric, Larsen, Sonderby, Larochelle and Winther, 2016,
    arXiv:1512.09300.

    >>> from diabolo import VAEGAN
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> VAEGAN(code_size=4, epochs=2, random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 64)
    """

    beta: float = within(default=1.0, low=0.0)
    warmup: float = within(default=0.1, low=0.0, high=1.0)
    weight: float = within(default=1.0, low=0.0)
    features: float = within(default=0.3, low=0.0)

    def recipe(self) -> Recipe:
        """A Gaussian code at its divergence, and a rival that looks at what is decoded from it."""
        return Recipe(Gaussian(), KL(self.beta, self.warmup) + OutputRival(self.weight, self.features))

"""Many small autoencoders as one."""

from __future__ import annotations

from ..core.kinds import Architecture, Bottleneck, Corruption, Loss
from ..core.members import Ensemble
from ..core.network import Network
from ..core.objective import Recipe
from ..core.parts import parameters, within
from ..data.modality import Modality
from .base import Estimator
from .general import Autoencoder


@parameters
class EnsembleAutoencoder(Estimator):
    r"""Networks that learn side by side and answer together: :math:`\hat x = \frac1M\sum_m g_m(f_m(x))`.

    Each minimizes :math:`\tfrac1n\sum_i \ell\big(x_i,\, g_m(f_m(c_m(x_i)))\big)` by itself, from weights and with
    corruptions of its own; a layer of all of them is one batched multiplication. What they agree on comes back, what
    one of them dreamed up does not.

    Parameters
    ----------
    members : int, default 16
        :math:`M`. The error of a mean falls fast up to about ten members.
    code_size : int, default 8
        Of each member; the code of a row is those of all members, one after the other.
    bottleneck, corruption, left_out
        As in :class:`~diabolo.Autoencoder`; the bottleneck has to give a plain code. There is no penalty: members are
        judged by their loss alone.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    Raises
    ------
    ValueError
        If a part cannot be computed side by side.

    References
    ----------
    Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles, Lakshminarayanan, Pritzel and
    Blundell, 2017, arXiv:1612.01474.

    >>> from diabolo import EnsembleAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> model = EnsembleAutoencoder(code_size=4, members=3, epochs=1, random_state=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((1797, 12), (1797, 64))
    """

    members: int = within(default=16, low=1)
    bottleneck: Bottleneck | str | None = None
    corruption: Corruption | str | None = None
    left_out: float = within(default=0.0, low=0.0, high=1.0, below=True)

    def recipe(self) -> Recipe:
        """The parts of each member."""
        shared = {"bottleneck": self.bottleneck, "corruption": self.corruption, "left_out": self.left_out}
        return Autoencoder(**shared).recipe()  # type: ignore[arg-type]

    def _network(
        self,
        modality: Modality,
        architecture: Architecture,
        bottleneck: Bottleneck,
        corruption: Corruption,
        loss: Loss,
    ) -> Network:
        make = super()._network
        return Ensemble(
            [make(modality, architecture, bottleneck.clone(), corruption, loss) for _ in range(self.members)]
        )

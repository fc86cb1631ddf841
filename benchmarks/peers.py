"""What people train autoencoders with today: plain loops and libraries, each under one small protocol.

Every peer trains the same network (784-128-32-128-784, ReLU, none on the code where the peer allows it) with
Adam at 1e-3 on the mean squared error, in batches of 256, in float32 unless its name says so. A peer is one
method, ``fit``, which calls ``after_epoch`` at the end of every epoch; the clock is here, the same for all.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from importlib import metadata, util
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, Dataset, TensorDataset

from common import BATCH_SIZE, LEARNING_RATE, SIZES

Output = Literal["linear", "sigmoid"]
Reconstruct = Callable[[np.ndarray], np.ndarray]
AfterEpoch = Callable[[Reconstruct], None]

CLASSIC_EPOCHS = 20
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow"}


class Finished(Exception):
    """Leaves a peer's own training loop when the clock has seen enough."""


class Reached(NamedTuple):
    """Where a training ended: the clock stands still while the test error is computed."""

    seconds: float
    epochs: int
    mse: float


class Peer(ABC):
    """One way to train the network.

    Attributes
    ----------
    name : as it stands in the tables
    package : what must be installed, besides torch
    library : whether it is a library that a user would choose, rather than a loop that a user would write
    sigmoid : whether the network can end in a sigmoid; without, 20 epochs stay far from the classic result
    epoch_output : the last layer of the timed epochs: the one with less work, unless a sigmoid is the custom
    """

    name: str
    package: str | None = None
    library: bool = True
    sigmoid: bool = True
    epoch_output: Output = "linear"

    @abstractmethod
    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Trains for `epochs` epochs and calls `after_epoch` at the end of each."""

    def installed(self) -> bool:
        """Whether the peer can be run here."""
        return self.package is None or util.find_spec(self.package) is not None

    def version(self) -> str:
        """The version of its package, empty where there is none."""
        if self.package is None:
            return ""
        return metadata.version(DISTRIBUTIONS.get(self.package, self.package))

    def epoch_seconds(self, X: np.ndarray, epochs: int) -> list[float]:
        """Seconds of each of `epochs` epochs, from end to end, after one that warms up."""
        moments: list[float] = []

        def after_epoch(reconstruct: Reconstruct) -> None:
            moments.append(time.perf_counter())
            if len(moments) > epochs:
                raise Finished

        with contextlib.suppress(Finished):
            self.fit(X, epochs + 1, self.epoch_output, after_epoch)
        if len(moments) != epochs + 1:
            raise RuntimeError(f"{self.name} reported {len(moments)} epochs instead of {epochs + 1}")
        return [after - before for before, after in pairwise(moments)]

    def reach(self, X: np.ndarray, X_test: np.ndarray, target: float) -> Reached:
        """Trains until the test error is `target` or less, for 20 epochs at most.

        The seconds are those of ``fit`` from its call on, set-up included and the test error excluded.
        """
        self.epoch_seconds(X[: 4 * BATCH_SIZE], 1)  # imports and compiled kernels are not training
        epochs, away = 0, 0.0
        reached: Reached | None = None
        start = time.perf_counter()

        def after_epoch(reconstruct: Reconstruct) -> None:
            nonlocal epochs, away, reached
            pause = time.perf_counter()
            epochs += 1
            error = float(np.mean((reconstruct(X_test) - X_test) ** 2, dtype=np.float64))
            reached = Reached(pause - start - away, epochs, error)
            if error <= target or epochs == CLASSIC_EPOCHS:
                raise Finished
            away += time.perf_counter() - pause

        with contextlib.suppress(Finished):
            self.fit(X, CLASSIC_EPOCHS, "sigmoid" if self.sigmoid else "linear", after_epoch)
        if reached is None:
            raise RuntimeError(f"{self.name} reported no epoch")
        return reached


def encoder() -> nn.Sequential:
    """784-128-32, linear at the code."""
    return nn.Sequential(nn.Linear(SIZES[0], SIZES[1]), nn.ReLU(), nn.Linear(SIZES[1], SIZES[2]))


def decoder(output: Output) -> nn.Sequential:
    """32-128-784."""
    layers = nn.Sequential(nn.Linear(SIZES[2], SIZES[3]), nn.ReLU(), nn.Linear(SIZES[3], SIZES[4]))
    return layers.append(nn.Sigmoid()) if output == "sigmoid" else layers


def network(output: Output) -> nn.Sequential:
    """The whole round trip, the same weights at every start."""
    torch.manual_seed(0)
    return nn.Sequential(*encoder(), *decoder(output))


def reconstruct_with(module: Callable[[Tensor], Tensor]) -> Reconstruct:
    """Turns a trained module into a function of arrays."""

    def reconstruct(X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(X)).numpy()

    return reconstruct


# Plain torch


class Images(Dataset):
    """One labeled image at a time, from bytes to floats in [0, 1] with a channel axis.

    With `pillow`, the steps of torchvision's MNIST and ``ToTensor``, which make a Pillow image of every row,
    then an array of it again; torchvision itself is not needed. Without, the short way from bytes to floats.
    """

    def __init__(self, X: np.ndarray, pillow: bool) -> None:
        self.data = torch.from_numpy(np.rint(X * 255).astype(np.uint8).reshape(-1, 28, 28))
        self.targets = torch.zeros(len(X), dtype=torch.long)
        self.pillow = pillow

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not self.pillow:
            return self.data[index][None].float().div(255), 0
        from PIL import Image

        image = Image.fromarray(self.data[index].numpy())
        values = torch.from_numpy(np.array(image, copy=True)).view(*image.size, 1)
        return values.permute(2, 0, 1).contiguous().float().div(255), int(self.targets[index])


class ClassicLoop(Peer):
    """The loop of the tutorials."""

    library = False
    epoch_output = "sigmoid"

    def __init__(self, pillow: bool) -> None:
        self.name = f"classic loop, images {'through Pillow' if pillow else 'from memory'}"
        self.package = "PIL" if pillow else None
        self.pillow = pillow

    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Prints nothing, but fetches the loss of every step."""
        model = network(output)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        criterion = nn.MSELoss()
        loader = DataLoader(Images(X, self.pillow), batch_size=BATCH_SIZE, shuffle=True)
        for _ in range(epochs):
            total = 0.0
            for images, _labels in loader:
                batch = images.view(len(images), -1)
                loss = criterion(model(batch), batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item()
            after_epoch(reconstruct_with(model))


class TensorLoop(Peer):
    """The same without reading images one by one, or the loss."""

    name = "TensorDataset, DataLoader"
    library = False

    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Leaves batching to the loader."""
        model = network(output)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        loader = DataLoader(TensorDataset(torch.from_numpy(X)), batch_size=BATCH_SIZE, shuffle=True)
        for _ in range(epochs):
            for (batch,) in loader:
                loss = mse_loss(model(batch), batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            after_epoch(reconstruct_with(model))


class ResidentLoop(Peer):
    """The fastest short loop: data in memory, a permutation cut into batches, fused Adam."""

    library = False

    def __init__(self, precision: Literal["float32", "bfloat16"]) -> None:
        self.name = f"resident loop, fused Adam, {precision}"
        self.bfloat16 = precision == "bfloat16"

    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Runs the network under autocast for bfloat16, with the loss in float32."""
        model = network(output)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
        data = torch.from_numpy(X)
        for _ in range(epochs):
            for rows in torch.randperm(len(data)).split(BATCH_SIZE):
                batch = data[rows]
                with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                    reconstruction = model(batch)
                loss = mse_loss(reconstruction.float(), batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            after_epoch(reconstruct_with(model))


# Libraries


class ScikitLearn(Peer):
    """``MLPRegressor`` of the input on itself."""

    name = "scikit-learn MLPRegressor"
    package = "sklearn"
    sigmoid = False

    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Has no callback: listens where the training loop counts epochs without improvement."""
        from sklearn.neural_network import MLPRegressor

        class Timed(MLPRegressor):
            def _update_no_improvement_count(self, *arguments: Any) -> None:
                super()._update_no_improvement_count(*arguments)
                after_epoch(self.predict)

        Timed(
            hidden_layer_sizes=SIZES[1:-1],
            alpha=0.0,
            batch_size=BATCH_SIZE,
            learning_rate_init=LEARNING_RATE,
            max_iter=epochs,
            n_iter_no_change=epochs,
            random_state=0,
        ).fit(X, X)


class PyOD(Peer):
    """``AutoEncoder`` without batch normalization, dropout, weight decay or standardization."""

    name = "PyOD AutoEncoder"
    package = "pyod"
    sigmoid = False

    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Listens through ``epoch_update``, which is there to be overridden."""
        from pyod.models.auto_encoder import AutoEncoder

        class Timed(AutoEncoder):
            def epoch_update(self) -> None:
                after_epoch(reconstruct_with(self.model))

        Timed(
            hidden_neuron_list=list(SIZES[1:3]),
            batch_norm=False,
            dropout_rate=0.0,
            preprocessing=False,
            lr=LEARNING_RATE,
            optimizer_params={},
            epoch_num=epochs,
            batch_size=BATCH_SIZE,
            device="cpu",
            verbose=0,
        ).fit(X)


class Skorch(Peer):
    """``NeuralNetRegressor`` of the input on itself, without its validation split."""

    name = "skorch NeuralNetRegressor"
    package = "skorch"

    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Listens through a callback."""
        from skorch import NeuralNetRegressor
        from skorch.callbacks import Callback

        class Listener(Callback):
            def on_epoch_end(self, net: NeuralNetRegressor, **others: Any) -> None:
                after_epoch(net.predict)

        NeuralNetRegressor(
            network(output),
            optimizer=torch.optim.Adam,
            lr=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            max_epochs=epochs,
            iterator_train__shuffle=True,
            train_split=None,
            callbacks=[Listener()],
            verbose=0,
        ).fit(X, X)


class Keras(Peer):
    """A sequential model on the torch backend."""

    name = "Keras (torch backend)"
    package = "keras"

    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Listens through a callback."""
        os.environ["KERAS_BACKEND"] = "torch"
        import keras

        keras.utils.set_random_seed(0)
        activations = ("relu", None, "relu", None if output == "linear" else "sigmoid")
        model = keras.Sequential([keras.layers.Input((SIZES[0],))])
        for size, activation in zip(SIZES[1:], activations, strict=True):
            model.add(keras.layers.Dense(size, activation))
        model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse")

        def listen(epoch: int, logs: dict[str, float]) -> None:
            after_epoch(lambda values: model.predict(values, batch_size=1_000, verbose=0))

        listener = keras.callbacks.LambdaCallback(on_epoch_end=listen)
        model.fit(X, X, batch_size=BATCH_SIZE, epochs=epochs, verbose=0, callbacks=[listener])


class Pythae(Peer):
    """``AE`` with its ``BaseTrainer``, keeping the best model of the training loss as it does by default."""

    name = "Pythae AE"
    package = "pythae"

    def fit(self, X: np.ndarray, epochs: int, output: Output, after_epoch: AfterEpoch) -> None:
        """Listens through a callback; its log and progress bar go nowhere."""
        from pythae.data.datasets import BaseDataset
        from pythae.models import AE, AEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
        from pythae.trainers.training_callbacks import TrainingCallback

        class Encoder(BaseEncoder):
            def __init__(self) -> None:
                super().__init__()
                self.layers = encoder()

            def forward(self, values: Tensor) -> ModelOutput:
                return ModelOutput(embedding=self.layers(values))

        class Decoder(BaseDecoder):
            def __init__(self) -> None:
                super().__init__()
                self.layers = decoder(output)

            def forward(self, code: Tensor) -> ModelOutput:
                return ModelOutput(reconstruction=self.layers(code))

        class Listener(TrainingCallback):
            def on_epoch_end(self, training_config: BaseTrainerConfig, **others: Any) -> None:
                after_epoch(reconstruct_with(lambda values: model({"data": values}).recon_x))

        torch.manual_seed(0)
        model = AE(AEConfig(input_dim=(SIZES[0],), latent_dim=SIZES[2]), encoder=Encoder(), decoder=Decoder())
        with tempfile.TemporaryDirectory() as folder, silence():
            trainer = BaseTrainer(
                model,
                BaseDataset(torch.from_numpy(X), torch.ones(len(X))),
                training_config=BaseTrainerConfig(
                    output_dir=folder,
                    per_device_train_batch_size=BATCH_SIZE,
                    learning_rate=LEARNING_RATE,
                    num_epochs=epochs,
                    no_cuda=True,
                ),
                callbacks=[Listener()],
            )
            trainer.train()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Drops log records up to warnings and whatever goes to standard error."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


PEERS: tuple[Peer, ...] = (
    ClassicLoop(pillow=True),
    ClassicLoop(pillow=False),
    TensorLoop(),
    ResidentLoop("float32"),
    ResidentLoop("bfloat16"),
    ScikitLearn(),
    PyOD(),
    Skorch(),
    Keras(),
    Pythae(),
)

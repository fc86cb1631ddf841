"""What can go wrong, as types that somebody will catch.

Every message says which place, what came, what is possible and what to do. The command line gives each type an
exit code of its own.
"""

from __future__ import annotations


class DataError(ValueError):
    """The data that came cannot be used; nothing was changed.

    >>> raise DataError("column 'age', row 3: 'abc' is no number.")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: column 'age', row 3: 'abc' is no number.
    """


class ShapeError(DataError):
    """The shape of the data does not fit the architecture or the fitted model.

    >>> issubclass(ShapeError, ValueError)
    True
    """


class ModelFileError(ValueError):
    """A model file is damaged, tampered with, too new, or no model file at all.

    >>> issubclass(ModelFileError, ValueError)
    True
    """


class DivergedError(ArithmeticError):
    """Training stopped being finite, and going back with smaller steps did not help.

    Parameters
    ----------
    epoch, batch : int
        Where it happened, counted from 0.
    term : str
        The first term that was not finite: the name of a loss, a penalty or a parameter.

    >>> DivergedError(3, 17, "kl").term
    'kl'
    """

    def __init__(self, epoch: int, batch: int, term: str, advice: str = "Lower learning_rate.") -> None:
        super().__init__(f"epoch {epoch}, batch {batch}: {term} stopped being finite. {advice}")
        self.epoch, self.batch, self.term = epoch, batch, term


class MissingPackageError(ImportError):
    """An optional package is needed; the message holds the exact line that installs it.

    >>> print(MissingPackageError("pillow", "image", "reading pictures"))
    reading pictures needs pillow: pip install 'diabolo[image]'
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'diabolo[{extra}]'")

"""What a command ends with: an exit code, and one paragraph on standard error."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from types import FrameType
from typing import Any

import click

from ..core.errors import DataError, DivergedError, MissingPackageError, ModelFileError
from .output import say, styled

SHOW_TRACE = "diabolo.traceback"
WORDS = "diabolo.words"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EFBIG, errno.EIO)
#: How torch says that there is no memory left, on the processor and on a GPU.
NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory")


class Code(IntEnum):
    """The exit codes, the same for every command.

    >>> int(Code.DATA)
    3
    """

    OK = 0
    BUG = 1
    USAGE = 2
    DATA = 3
    MODEL = 4
    CHECK = 5
    SPACE = 6
    DIVERGED = 7
    INTERRUPTED = 130
    TERMINATED = 143


class Stopped(KeyboardInterrupt):
    """A signal asks to stop.

    Parameters
    ----------
    number : int
        Which one.

    >>> Stopped(signal.SIGTERM).code
    143
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code by which shells know that a signal ended a process."""
        return 128 + self.number


def code_of(error: BaseException) -> Code:
    """The exit code that an error deserves.

    >>> code_of(DataError("no rows")), code_of(KeyError("x"))
    (<Code.DATA: 3>, <Code.BUG: 1>)
    """
    if isinstance(error, DataError):
        return Code.DATA
    if isinstance(error, ModelFileError):
        return Code.MODEL
    if isinstance(error, DivergedError):
        return Code.DIVERGED
    if isinstance(error, MissingPackageError):
        return Code.USAGE
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
    ):
        return Code.SPACE
    if isinstance(error, OSError) and error.errno is not None:
        return Code.SPACE if error.errno in FULL else Code.USAGE
    return Code.BUG


def words_of(error: BaseException, code: Code) -> str:
    """What to say about an error.

    >>> words_of(KeyError("x"), Code.BUG)
    "KeyError: 'x'. This is a fault in diabolo, not yours: --traceback shows where, for a report."
    """
    if code == Code.BUG:
        what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no words'}".rstrip(".")
        return f"{what}. This is a fault in diabolo, not yours: --traceback shows where, for a report."
    if isinstance(error, OSError) and error.strerror and not isinstance(error, (DataError, ModelFileError)):
        place = f"{error.filename}: " if error.filename else ""
        advice = " Make room, or write elsewhere with -o." if code == Code.SPACE else " Write elsewhere with -o."
        return f"{place}{error.strerror}.{advice}"
    if code == Code.SPACE:
        advice = "Take a smaller batch_size or code_size, or a machine with more memory."
        return f"There is not enough memory ({str(error).splitlines()[0] if str(error) else 'no more'}). {advice}"
    return str(error)


class Failing(click.Group):
    """A group of commands whose errors become exit codes, and whose commands are imported when they are called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the words of the command line, to say them again."""
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; say what went wrong in one paragraph."""
        ctx.meta[SHOW_TRACE] = False
        try:
            with terminable():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            quiet_output()  # whoever read has had enough
            ctx.exit(Code.OK)
        except Stopped as stop:
            say("Terminated.")
            ctx.exit(stop.code)
        except KeyboardInterrupt:
            say("Interrupted.")
            ctx.exit(Code.INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes an exit code and a line
            if ctx.meta[SHOW_TRACE]:
                traceback.print_exc(file=sys.stderr)
            code = code_of(error)
            say(f"{styled('Error:')} {words_of(error, code)}")
            ctx.exit(code)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM unwind as Ctrl-C does, so that no half-written file stays behind."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    with handling({signal.SIGTERM: stop}):
        yield


@contextmanager
def handling(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    """Answer signals in a way of one's own for a while; a no-op outside of the main thread.

    What is ignored stays so: shells start jobs in the background with Ctrl-C ignored, as ``nohup`` does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = {number: handler for number, handler in handlers.items() if signal.getsignal(number) != signal.SIG_IGN}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quiet_output() -> None:
    """Point standard output nowhere, so that nothing is said about a closed pipe at exit either."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def as_usage(*kinds: type[Exception]) -> Iterator[None]:
    """Turn what a wrong argument raises into an error of usage.

    >>> with as_usage(ValueError):
    ...     int("x")
    Traceback (most recent call last):
    click.exceptions.UsageError: invalid literal for int() with base 10: 'x'
    """
    try:
        yield
    except kinds as error:
        raise click.UsageError(str(error)) from error


def unreadable_model(path: str, error: OSError) -> ModelFileError:
    """Say that a model file is not there or cannot be read: it counts as a bad one.

    >>> print(unreadable_model("m", FileNotFoundError(2, "No such file")))
    m: there is no such model file. Make one: diabolo fit DATA -o m
    """
    if isinstance(error, FileNotFoundError):
        return ModelFileError(f"{path}: there is no such model file. Make one: diabolo fit DATA -o {path}")
    return ModelFileError(f"{path}: {error.strerror or error}. Give a model file that can be read.")

"""``python -m diabolo`` is the command ``diabolo``."""

from .cli import main

if __name__ == "__main__":
    main()

"""``python -m srlab``: the command line, where the command ``srlab`` is not on the path."""

from srlab.cli import main

if __name__ == "__main__":
    main()

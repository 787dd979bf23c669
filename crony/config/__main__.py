"""Print the sample file: ``python -m crony.config > etc/crony.conf``."""

import argparse
import sys

from crony.config.render import page, sample


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m crony.config")
    parser.add_argument("--format", choices=("conf", "markdown"), default="conf")
    chosen = parser.parse_args()
    sys.stdout.write(sample() if chosen.format == "conf" else page())


if __name__ == "__main__":
    main()

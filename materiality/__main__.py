"""`python -m materiality` is the command line."""

from materiality.cli import main

if __name__ == "__main__":
    main(prog_name="materiality")

"""The scripts are notebooks, run as such by tests/test_notebooks.py; pytest has nothing to import here."""

collect_ignore_glob = ["*.py"]

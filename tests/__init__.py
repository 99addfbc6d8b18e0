"""The test suite; `tests.harness` also has a command line."""

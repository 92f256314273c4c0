"""One verb a file: takes a Repository, returns a frozen record."""

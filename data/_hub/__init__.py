"""Data sets of the library `datasets`: sources of rows, column types, and images and tables from them."""

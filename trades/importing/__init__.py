"""Files of trades brought into the book: the page (`views`), the address (`api`), the act (`services`).

How one is read: blocks of text columns (`blocks`), which column is which (`heads`), what a word or a time in them
means (`words`, `moments`), which cells are plainly sound (`plain`) and, by the API's own fields, what becomes of the
others (`cells`). From `importer` on it loads pyarrow: 0.3 s and 60 MB that only an import pays.
"""

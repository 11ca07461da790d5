"""How a file of trades is read: blocks of text columns (`blocks`), which column is which (`heads`), what a word
or a time in them means (`words`, `moments`), which cells are plainly sound (`plain`) and, by the API's own fields,
what becomes of the others (`cells`). It loads pyarrow: 0.3 s and 60 MB that only an import pays.
"""

"""How the book is written: the act and its entry, the versions, and what follows from them."""
